# SPDX-License-Identifier: GPL-2.0-or-later
"""Takes .pb.gz files by POST or PUT to any path, and gives them back by GET."""
import base64

import pprof
import rules
from exchange import Response
from wire import Malformed


class Plain:
    def __init__(self, name, store, settings):
        self.name, self.store, self.settings = name, store, settings

    def is_allowed(self, request):
        allowed = []
        if "bearer" in self.settings:
            allowed.append(f"Bearer {self.settings['bearer']}")
        if "basic" in self.settings:
            allowed.append("Basic " + base64.b64encode(self.settings["basic"].encode()).decode())
        return not allowed or request.header("authorization") in allowed

    def handle(self, request):
        if not self.is_allowed(request):
            return Response(401, "unauthorized\n", "text/plain", [("www-authenticate", "Basic")])
        if request.method == "GET":
            found = self.store.objects.get((self.name, request.path))
            return Response(200, found[0], found[2]) if found else Response(404, "not found\n", "text/plain")
        if request.method not in ("POST", "PUT"):
            return Response(405, "POST or PUT\n", "text/plain")
        try:
            raw = pprof.inflate(request.body)
            profile = rules.parse(raw)
            rules.check_shape(profile)
        except (Malformed, rules.Refused) as error:
            self.store.refuse(self.name, str(error))
            return Response(400, f"no pprof profile: {error}\n", "text/plain")
        self.store.put_object(self.name, request.path, request.body, request.header("content-type"))
        self.store.add_pprof([(self.name, {}, raw, profile, {"id": request.target})])
        return Response(self.settings.get("status", 200), "", "text/plain")
