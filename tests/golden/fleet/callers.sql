SELECT if(id = toUInt64(1), '[no caller]', if(id = 0, '[stack missing]', if(name = '', '[function missing]', name))) AS name, if(name = '', '[kiln]', file) AS module, '' AS service, self_ns, total_ns FROM (
SELECT id, sum(if(id = own, v, 0)) AS self_ns, sum(v) AS total_ns FROM (
SELECT v, if(has([toUInt64(18446744073709551615), toUInt64(5)], frames[1]), if(length(frames) > 1, frames[2], toUInt64(1)), toUInt64(2)) AS own,
arrayDistinct(arrayMap(i -> if(i < length(frames), frames[i + 1], toUInt64(1)), arrayFilter(i -> has([toUInt64(18446744073709551615), toUInt64(5)], frames[i]), arrayEnumerate(frames)))) AS callers FROM (
SELECT hash, v, if(found = 1, funcs, [toUInt64(0)]) AS frames FROM (
SELECT hash, funcs, toUInt8(1) AS found FROM stacks WHERE (day >= '2026-11-16' AND day <= '2026-11-22') AND service = 'api') AS b
ALL RIGHT JOIN (
SELECT hash, sum(value) AS v FROM samples WHERE type = 'cpu/nanoseconds' AND (time >= toDateTime(1795305600) AND time < toDateTime(1795392000)) AND service = 'api' AND host != 'x' GROUP BY hash) AS a USING (hash) LIMIT 1 BY hash) AS c) AS d
ARRAY JOIN callers AS id GROUP BY id) AS f
ANY LEFT JOIN (SELECT id, CAST(func AS String) AS name, CAST(module AS String) AS file FROM functions) AS g USING (id) ORDER BY total_ns DESC, name, module
