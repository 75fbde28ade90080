INSERT INTO fn_hour_local (service, type, hour, func, module, self, total, ver)
SELECT '', 'cpu/nanoseconds', toDateTime(1795305600), '', '', toInt64(5), toInt64(-1), toUInt64(18446744073709551615)
