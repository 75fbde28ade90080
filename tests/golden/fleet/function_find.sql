SELECT id AS id, CAST(func AS String) AS name, CAST(module AS String) AS file FROM functions WHERE func = 'it\'s\\' GROUP BY id, func, module ORDER BY id LIMIT 1000
