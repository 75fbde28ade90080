SELECT toUInt32(hour) AS h, ver, n, windows, print, rows FROM (
SELECT hour, ver, sum(if(module = '', self, 0)) AS windows, sum(if(module = '', total, 0)) AS print, sum(if(module = 'rows', self, 0)) AS rows FROM fn_hour_local WHERE service = '' AND type = 'cpu/nanoseconds' AND hour >= toDateTime(1795305600) AND hour < toDateTime(1795392000) GROUP BY hour, ver) AS a
ANY LEFT JOIN (
SELECT hour, ver, count() AS n FROM fn_hour_local WHERE hour >= toDateTime(1795305600) AND hour < toDateTime(1795392000) GROUP BY hour, ver) AS b USING (hour, ver) ORDER BY h, ver
