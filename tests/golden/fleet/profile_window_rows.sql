SELECT intDiv(toUInt32(time) + 300, 600) * 600 - 300 AS begin_s, count() AS windows, sum(lost) AS all_lost FROM (
SELECT DISTINCT host, time, id, lost FROM windows WHERE time >= toDateTime(1795305600) AND time < toDateTime(1795392000) AND host != 'x') AS w GROUP BY begin_s ORDER BY begin_s
