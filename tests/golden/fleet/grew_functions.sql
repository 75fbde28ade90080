SELECT fn AS name, md AS module, sv AS service, sum(s1) AS self_ns, sum(t1) AS total_ns, sum(s2) AS self_before_ns, sum(t2) AS total_before_ns FROM (
SELECT CAST(svc AS String) AS sv, if(id = 0, '[stack missing]', if(name = '', '[function missing]', name)) AS fn, if(name = '', '[kiln]', file) AS md, s1, t1, s2, t2 FROM (
SELECT svc, id, sum(if(id = frames[1], v, 0)) AS s1, sum(v) AS t1, sum(if(id = frames[1], w, 0)) AS s2, sum(w) AS t2 FROM (
SELECT svc, hash, v, w, if(found = 1, funcs, [toUInt64(0)]) AS frames FROM (
SELECT service AS svc, hash, funcs, toUInt8(1) AS found FROM stacks WHERE (day >= '2026-11-16' AND day <= '2026-11-22')) AS b
ALL RIGHT JOIN (
SELECT service AS svc, hash, sum(if(time >= toDateTime(1795309200), value, 0)) AS v, sum(if(time < toDateTime(1795309200), value, 0)) AS w FROM samples WHERE type = 'cpu/nanoseconds' AND (time >= toDateTime(1795305000) AND time < toDateTime(1795305600) OR time >= toDateTime(1795312800) AND time < toDateTime(1795313000)) GROUP BY svc, hash) AS a USING (svc, hash) LIMIT 1 BY svc, hash) AS c
ARRAY JOIN arrayDistinct(frames) AS id GROUP BY svc, id) AS d
ANY LEFT JOIN (SELECT id, CAST(func AS String) AS name, CAST(module AS String) AS file FROM functions) AS e USING (id)
UNION ALL
SELECT CAST(service AS String) AS sv, CAST(func AS String) AS fn, CAST(module AS String) AS md, if(hour >= toDateTime(1795309200), self, 0) AS s1, if(hour >= toDateTime(1795309200), total, 0) AS t1, if(hour < toDateTime(1795309200), self, 0) AS s2, if(hour < toDateTime(1795309200), total, 0) AS t2 FROM fn_hour WHERE type = 'cpu/nanoseconds' AND service != '' AND func != '' AND hour >= toDateTime(1795305600) AND hour < toDateTime(1795312800) AND ver IN (17, 18)
) AS x GROUP BY sv, fn, md ORDER BY self_ns DESC, total_ns DESC, name, module
