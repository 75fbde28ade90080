INSERT INTO fn_hour_local (service, type, hour, func, module, self, total, ver)
SELECT CAST(svc AS String), 'cpu/nanoseconds', toDateTime(1795305600), fn, md, sum(own), sum(once), toUInt64(18446744073709551615) FROM (
SELECT svc, kind, if(kind = 1, if(id = 0, '[stack missing]', if(name = '', '[function missing]', name)), '') AS fn, if(kind < 3, if(name = '', '[kiln]', file), '') AS md, sum(if(id = frames[1] OR id = toUInt64(3), v, 0)) AS own, any(v) AS once FROM (
SELECT svc, hash, v, frames, id, name, file FROM (
SELECT svc, hash, v, frames, id FROM (
SELECT svc, hash, v, if(found = 1, funcs, [toUInt64(0)]) AS frames FROM (
SELECT service AS svc, hash, funcs, toUInt8(1) AS found FROM stacks WHERE (day >= '2026-11-16' AND day <= '2026-11-22')) AS b
ALL RIGHT JOIN (
SELECT service AS svc, hash, sum(value) AS v FROM samples WHERE type = 'cpu/nanoseconds' AND (time >= toDateTime(1795305600) AND time < toDateTime(1795309200)) GROUP BY svc, hash) AS a USING (svc, hash) LIMIT 1 BY svc, hash) AS c
ARRAY JOIN arrayDistinct(if(empty(frames), [toUInt64(3)], frames)) AS id) AS d
ANY LEFT JOIN (SELECT id, CAST(func AS String) AS name, CAST(module AS String) AS file FROM functions) AS e USING (id)) AS f
ARRAY JOIN [1, 2, 3] AS kind WHERE id != toUInt64(3) OR kind = 3 GROUP BY svc, hash, kind, fn, md
) AS x GROUP BY svc, kind, fn, md
