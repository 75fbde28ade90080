INSERT INTO fn_hour_local (service, type, hour, func, module, self, total, ver)
SELECT '', 'cpu/nanoseconds', toDateTime(1795305600), '', 'begin', toInt64(0), toInt64(0), toUInt64(18446744073709551615)
