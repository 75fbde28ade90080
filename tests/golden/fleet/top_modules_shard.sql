SELECT md AS name, '' AS module, sv AS service, sum(s1) AS self_ns, sum(t1) AS total_ns FROM (
SELECT '' AS sv, '' AS fn, md, sum(x1) AS s1, sum(y1) AS t1 FROM (
SELECT hash, if(name = '', '[kiln]', file) AS md, sum(own) AS x1, any(v) AS y1 FROM (
SELECT hash, v, id, if(id = frames[1], v, 0) AS own FROM (
SELECT hash, v, if(found = 1, funcs, [toUInt64(0)]) AS frames FROM (
SELECT hash, funcs, toUInt8(1) AS found FROM stacks_local WHERE (day >= '2026-11-16' AND day <= '2026-11-22')) AS b
ALL RIGHT JOIN (
SELECT hash, sum(value) AS v FROM samples_local WHERE type = 'cpu/nanoseconds' AND (time >= toDateTime(1795305600) AND time < toDateTime(1795392000)) GROUP BY hash) AS a USING (hash) LIMIT 1 BY hash) AS c
ARRAY JOIN arrayDistinct(frames) AS id) AS d
ANY LEFT JOIN (SELECT id, CAST(func AS String) AS name, CAST(module AS String) AS file FROM functions_local) AS e USING (id) GROUP BY hash, md) AS f GROUP BY md
) AS x GROUP BY sv, fn, md ORDER BY self_ns DESC, total_ns DESC, name, module
