SELECT sv AS name, '' AS module, '' AS service, sum(s1) AS self_ns, sum(t1) AS total_ns FROM (
SELECT CAST(host AS String) AS sv, '' AS fn, '' AS md, v AS s1, v AS t1 FROM (SELECT host, sum(value) AS v FROM samples WHERE type = 'cpu/nanoseconds' AND (time >= toDateTime(1795305600) AND time < toDateTime(1795392000)) GROUP BY host) AS a
) AS x GROUP BY sv, fn, md ORDER BY self_ns DESC, total_ns DESC, name, module
