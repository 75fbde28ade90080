SELECT if(id = 0, '[stack missing]', if(name = '', '[function missing]', name)) AS name, if(name = '', '[kiln]', file) AS module, CAST(machine AS String) AS service, self_ns, total_ns FROM (
SELECT machine, id, self_ns, total_ns FROM (
SELECT machine, id, sum(if(id = frames[1], v, 0)) AS self_ns, sum(v) AS total_ns FROM (
SELECT machine, hash, v, if(found = 1, funcs, [toUInt64(0)]) AS frames FROM (
SELECT hash, funcs, toUInt8(1) AS found FROM stacks WHERE (day >= '2026-11-16' AND day <= '2026-11-22') AND service = 'api') AS b
ALL RIGHT JOIN (
SELECT host AS machine, hash, sum(value) AS v FROM samples WHERE type = 'cpu/nanoseconds' AND (time >= toDateTime(1795305600) AND time < toDateTime(1795392000)) AND service = 'api' AND host != 'x' GROUP BY machine, hash) AS a USING (hash) LIMIT 1 BY machine, hash) AS c
ARRAY JOIN arrayDistinct(frames) AS id GROUP BY machine, id) AS d
ANY LEFT JOIN (SELECT host AS machine, sum(value) AS all_ns FROM samples WHERE type = 'cpu/nanoseconds' AND (time >= toDateTime(1795305600) AND time < toDateTime(1795392000)) AND service = 'api' AND host != 'x' GROUP BY machine) AS f USING (machine)
WHERE self_ns >= intDiv(all_ns, 1000)) AS g
ANY LEFT JOIN (SELECT id, CAST(func AS String) AS name, CAST(module AS String) AS file FROM functions) AS h USING (id)
