SELECT fn AS name, md AS module, sv AS service, sum(s1) AS self_ns, sum(t1) AS total_ns FROM (
SELECT '' AS sv, if(id = 0, '[stack missing]', if(name = '', '[function missing]', name)) AS fn, if(name = '', '[kiln]', file) AS md, s1, t1 FROM (
SELECT id, sum(if(id = frames[1], v, 0)) AS s1, sum(v) AS t1 FROM (
SELECT hash, v, if(found = 1, funcs, [toUInt64(0)]) AS frames FROM (
SELECT hash, funcs, toUInt8(1) AS found FROM stacks WHERE (day >= '2026-11-16' AND day <= '2026-11-22') AND service = 'api') AS b
ALL RIGHT JOIN (
SELECT hash, sum(value) AS v FROM samples WHERE type = 'cpu/nanoseconds' AND (time >= toDateTime(1795305000) AND time < toDateTime(1795305600) OR time >= toDateTime(1795312800) AND time < toDateTime(1795313000)) AND service = 'api' GROUP BY hash) AS a USING (hash) LIMIT 1 BY hash) AS c
ARRAY JOIN arrayDistinct(frames) AS id GROUP BY id) AS d
ANY LEFT JOIN (SELECT id, CAST(func AS String) AS name, CAST(module AS String) AS file FROM functions) AS e USING (id)
UNION ALL
SELECT materialize('') AS sv, CAST(func AS String) AS fn, CAST(module AS String) AS md, self AS s1, total AS t1 FROM fn_hour WHERE type = 'cpu/nanoseconds' AND service != '' AND func != '' AND service = 'api' AND hour >= toDateTime(1795305600) AND hour < toDateTime(1795312800) AND ver IN (17, 18)
) AS x GROUP BY sv, fn, md ORDER BY total_ns DESC, self_ns DESC, name, module LIMIT 20
