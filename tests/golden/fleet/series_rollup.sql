SELECT begin_s, sum(own) AS self_ns, sum(with_callees) AS total_ns, sum(whole) AS whole_ns FROM (
SELECT intDiv(toUInt32(time) + 3600, 7200) * 7200 - 3600 AS begin_s, if(hash GLOBAL IN (SELECT hash FROM stacks WHERE has([toUInt64(18446744073709551615)], funcs[1])), value, 0) AS own, if(hash GLOBAL IN (SELECT hash FROM stacks WHERE hasAny(funcs, [toUInt64(18446744073709551615)])), value, 0) AS with_callees, value AS whole FROM samples WHERE type = 'cpu/nanoseconds' AND (time >= toDateTime(1795305600) AND time < toDateTime(1795392000))
UNION ALL
SELECT intDiv(toUInt32(hour) + 3600, 7200) * 7200 - 3600 AS begin_s, if(func = '', 0, self) AS own, if(func = '', 0, total) AS with_callees, if(func = '', total, 0) AS whole FROM fn_hour WHERE type = 'cpu/nanoseconds' AND service != '' AND ((func = '' AND module = '') OR (func = 'it\'s' AND module = 'a\\b')) AND hour >= toDateTime(1795392000) AND hour < toDateTime(1795395600) AND ver IN (9)
) AS x GROUP BY begin_s ORDER BY begin_s
