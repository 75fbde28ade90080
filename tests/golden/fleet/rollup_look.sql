SELECT 'windows' AS what, h AS hour, toUInt64(count()) AS windows, toUInt64(sum(x)) AS print, toUInt64(0) AS ver, toUInt64(0) AS n, toUInt64(0) AS rows FROM (
SELECT DISTINCT toUInt32(intDiv(toUInt32(time), 3600) * 3600) AS h, id AS x FROM windows_local WHERE time >= toDateTime(1795305600) AND time < toDateTime(1795392000)) AS w GROUP BY hour ORDER BY hour
UNION ALL SELECT 'marks' AS what, toUInt32(since) AS hour, windows, print, ver, toUInt64(c) AS n, rows FROM (
SELECT hour AS since, ver, toUInt64(sum(if(module = '', self, 0))) AS windows, toUInt64(sum(if(module = '', total, 0))) AS print, toUInt64(sum(if(module = 'rows', self, 0))) AS rows FROM fn_hour_local WHERE service = '' AND type = 'cpu/nanoseconds' AND hour >= toDateTime(1795305600) AND hour < toDateTime(1795392000) GROUP BY since, ver) AS a
ANY LEFT JOIN (
SELECT hour AS since, ver, count() AS c FROM fn_hour_local WHERE hour >= toDateTime(1795305600) AND hour < toDateTime(1795392000) GROUP BY since, ver) AS b USING (since, ver) ORDER BY hour, ver
