SELECT sv AS name, '' AS module, '' AS service, sum(s1) AS self_ns, sum(t1) AS total_ns FROM (
SELECT CAST(service AS String) AS sv, CAST(func AS String) AS fn, CAST(module AS String) AS md, self AS s1, total AS t1 FROM fn_hour WHERE type = 'cpu/nanoseconds' AND service != '' AND func = '' AND module = '' AND hour >= toDateTime(1795305600) AND hour < toDateTime(1795312800) AND ver IN (17, 18)
) AS x GROUP BY sv, fn, md ORDER BY self_ns DESC, total_ns DESC, name, module
