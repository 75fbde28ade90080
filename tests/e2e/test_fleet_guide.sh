#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The configurations of kiln-fleet(7), word for word, are right.
# Runs beside other tests.
# shellcheck source=tests/lib/assert.sh
. "$(dirname "$0")/../lib/assert.sh"

# Literal blocks of the page become files 1, 2, ...; each begins with a comment that says what it is.
blocks() {
	awk -v dir="$T" '
		/^\.Ed/ { inside = 0 }
		inside { gsub(/\\e/, "\\"); print >(dir "/" n) }
		/^\.Bd -literal/ { inside = 1; n++ }' "$SRC/tools/kiln-fleet.7"
}

# The agent's: the files that they name are these.
test_configurations_of_agents() {
	local file n=0
	blocks
	mkdir -p etc
	for file in token secret-key; do
		echo secret >etc/$file
		chmod 600 etc/$file
	done
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout key.pem -out etc/ca.pem 2>err
	for file in [0-9]*; do
		grep -qx '# /etc/kiln/kiln.yaml' "$file" || continue
		sed "s,/etc/kiln/,$T/etc/,g" "$file" >kiln.yaml
		assert_status 0 "$KILN" agent --check-config -c kiln.yaml
		"$KILN" agent --print-config -c kiln.yaml >printed
		assert_match "keys of $file that are in force" printed 'kiln.yaml:[0-9]+$'
		n=$((n + 1))
	done
	assert_at_least "configurations" "$n" 7
}

test_configurations_of_nginx() {
	local file
	command -v nginx >/dev/null || skip "nginx is not installed"
	blocks
	mkdir -p tls
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=x -keyout tls/server.key -out tls/server.pem 2>err
	file=$(grep -lx '# nginx.conf, within http {}' [0-9]*)
	{
		printf 'pid %s/pid;\nerror_log %s/error.log;\nevents {}\nhttp {\naccess_log off;\n' "$T" "$T"
		for what in client_body proxy fastcgi uwsgi scgi; do
			echo "${what}_temp_path $T/$what;"
		done
		sed "s,/etc/nginx/,$T/,g; s/listen 443/listen 127.0.0.1:1443/" "$file"
		echo '}'
	} >nginx.conf
	assert_status 0 nginx -t -p "$T" -c "$T/nginx.conf"
}

run_tests "$@"
