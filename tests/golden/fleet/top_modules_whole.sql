SELECT md AS name, '' AS module, sv AS service, sum(s1) AS self_ns, sum(t1) AS total_ns, k AS whole FROM (
SELECT CAST(svc AS String) AS sv, '' AS fn, md, sum(x1) AS s1, sum(y1) AS t1, k FROM (
SELECT svc, hash, if(name = '', '[kiln]', file) AS md, sum(own) AS x1, any(v) AS y1, toUInt8(id = toUInt64(4)) AS k FROM (
SELECT svc, hash, v, id, if(id = frames[1], v, 0) AS own FROM (
SELECT svc, hash, v, if(found = 1, funcs, [toUInt64(0)]) AS frames FROM (
SELECT service AS svc, hash, funcs, toUInt8(1) AS found FROM stacks WHERE (day >= '2026-11-16' AND day <= '2026-11-22')) AS b
ALL RIGHT JOIN (
SELECT service AS svc, hash, sum(value) AS v FROM samples WHERE type = 'cpu/nanoseconds' AND (time >= toDateTime(1795305000) AND time < toDateTime(1795305600) OR time >= toDateTime(1795312800) AND time < toDateTime(1795313000)) GROUP BY svc, hash) AS a USING (svc, hash) LIMIT 1 BY svc, hash) AS c
ARRAY JOIN arrayDistinct(arrayPushBack(frames, toUInt64(4))) AS id) AS d
ANY LEFT JOIN (SELECT id, CAST(func AS String) AS name, CAST(module AS String) AS file FROM functions) AS e USING (id) GROUP BY svc, hash, md, k) AS f GROUP BY sv, md, k
UNION ALL
SELECT CAST(service AS String) AS sv, CAST(func AS String) AS fn, CAST(module AS String) AS md, self AS s1, total AS t1, toUInt8(func = '' AND module = '') AS k FROM fn_hour WHERE type = 'cpu/nanoseconds' AND service != '' AND func = '' AND hour >= toDateTime(1795305600) AND hour < toDateTime(1795312800) AND ver IN (17, 18)
) AS x GROUP BY sv, fn, md, k ORDER BY whole DESC, self_ns DESC, total_ns DESC, name, module
