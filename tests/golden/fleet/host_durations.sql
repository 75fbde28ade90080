SELECT CAST(host AS String) AS name, '' AS module, '' AS service, toInt64(sum(duration_ns)) AS self_ns, self_ns AS total_ns FROM (
SELECT DISTINCT host, time, id, duration_ns FROM windows WHERE time >= toDateTime(1795305600) AND time < toDateTime(1795392000)) AS w GROUP BY host
