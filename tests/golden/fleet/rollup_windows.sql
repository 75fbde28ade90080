SELECT h AS hour, count() AS windows, sum(x) AS print FROM (
SELECT DISTINCT intDiv(toUInt32(time), 3600) * 3600 AS h, id AS x FROM windows WHERE time >= toDateTime(1795305600) AND time < toDateTime(1795392000)) AS w GROUP BY hour ORDER BY hour
