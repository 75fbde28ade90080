SELECT md AS name, '' AS module, sv AS service, sum(s1) AS self_ns, sum(t1) AS total_ns, sum(s2) AS self_before_ns, sum(t2) AS total_before_ns FROM (
SELECT CAST(svc AS String) AS sv, '' AS fn, md, sum(x1) AS s1, sum(y1) AS t1, sum(x2) AS s2, sum(y2) AS t2 FROM (
SELECT svc, hash, if(name = '', '[kiln]', file) AS md, sum(own) AS x1, any(v) AS y1, sum(own_before) AS x2, any(w) AS y2 FROM (
SELECT svc, hash, v, w, id, if(id = frames[1], v, 0) AS own, if(id = frames[1], w, 0) AS own_before FROM (
SELECT svc, hash, v, w, if(found = 1, funcs, [toUInt64(0)]) AS frames FROM (
SELECT service AS svc, hash, funcs, toUInt8(1) AS found FROM stacks WHERE (day >= '2026-11-16' AND day <= '2026-11-22')) AS b
ALL RIGHT JOIN (
SELECT service AS svc, hash, sum(if(time >= toDateTime(1795309200), value, 0)) AS v, sum(if(time < toDateTime(1795309200), value, 0)) AS w FROM samples WHERE type = 'cpu/nanoseconds' AND (time >= toDateTime(1795305600) AND time < toDateTime(1795392000)) GROUP BY svc, hash) AS a USING (svc, hash) LIMIT 1 BY svc, hash) AS c
ARRAY JOIN arrayDistinct(frames) AS id) AS d
ANY LEFT JOIN (SELECT id, CAST(func AS String) AS name, CAST(module AS String) AS file FROM functions) AS e USING (id) GROUP BY svc, hash, md) AS f GROUP BY sv, md
) AS x GROUP BY sv, fn, md ORDER BY self_ns DESC, total_ns DESC, name, module
