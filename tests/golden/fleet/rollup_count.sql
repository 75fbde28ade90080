SELECT count() AS n FROM fn_hour WHERE type = 'cpu/nanoseconds' AND hour = toDateTime(1795305600) AND ver = 18446744073709551615
