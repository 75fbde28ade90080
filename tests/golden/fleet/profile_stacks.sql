SELECT hash, any(fs) AS funcs, any(ls) AS lines FROM (
SELECT hash, funcs AS fs, lines AS ls FROM stacks WHERE hash GLOBAL IN (SELECT hash FROM samples WHERE time >= toDateTime(1795305600) AND time < toDateTime(1795392000) AND service = 'it\'s' AND host != 'x' AND match(comm, '(?s)^(?:a.*)$')) AND service = 'it\'s') AS a GROUP BY hash
