SELECT min(id) AS id, CAST(func AS String) AS name, CAST(min(module) AS String) AS file FROM functions_local WHERE positionCaseInsensitive(func, 'it\'s\\') > 0 GROUP BY func ORDER BY func LIMIT 20
