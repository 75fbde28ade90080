SELECT 'windows' AS what, h AS hour, toUInt64(length(ids)) AS windows, toUInt64(arraySum(ids)) AS print, toUInt64(0) AS ver, toUInt8(0) AS done FROM (
SELECT toUInt32(intDiv(toUInt32(time), 3600) * 3600) AS h, groupUniqArray(id) AS ids FROM windows_local WHERE time >= toDateTime(1795305600) AND time < toDateTime(1795392000) GROUP BY h) AS w ORDER BY hour
UNION ALL SELECT 'marks' AS what, toUInt32(since) AS hour, toUInt64(self) AS windows, toUInt64(total) AS print, ver, toUInt8(md = '') AS done FROM (
SELECT hour AS since, CAST(module AS String) AS md, self, total, ver FROM fn_hour_local WHERE service = '' AND type = 'cpu/nanoseconds' AND func = '' AND module IN ('', 'begin') AND hour >= toDateTime(1795305600) AND hour < toDateTime(1795392000)) AS m ORDER BY hour, ver, done
