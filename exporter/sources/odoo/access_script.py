"""The program that `odoo-otel odoo-access --format rpc` prints: an administrator runs it, we never do.

JSON-2 from Odoo 19 on, JSON-RPC before. It is one file without a dependency, so that it can be read before it is run.
"""

SCRIPT = '''#!/usr/bin/env python3
"""Give one user the right to read what odoo-otel reads, and nothing else; or take everything back.

    ODOO_URL=https://odoo.example.com ODOO_DB=acme ODOO_ADMIN=admin ODOO_ADMIN_KEY=... python3 access.py grant
    ... python3 access.py undo

`grant` makes a group, a right to read for each model that there is, rules that show hidden rows for reading, and the
user if there is none of that login. `undo` deletes the rights, the rules and the group, and the user if it was made.
"""

import http.client
import json
import os
import sys
import urllib.error
import urllib.request

# SETTINGS
NAMES = ("ODOO_URL", "ODOO_DB", "ODOO_ADMIN", "ODOO_ADMIN_KEY")
URL, DB, ADMIN, KEY = (os.environ.get(name, "") for name in NAMES)
URL = URL.rstrip("/")
NOT_ODOO = "something before Odoo answered (a proxy, a login page), or there is no Odoo at this address"
READ = {"perm_read": True, "perm_write": False, "perm_create": False, "perm_unlink": False}


def post(path, body, **headers):
    given = {"Content-Type": "application/json", **headers}
    request = urllib.request.Request(URL + path, json.dumps(body).encode(), given)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        sys.exit(f"{URL}{path} answered {error.code}: {message(error.read())}.")
    except (OSError, http.client.HTTPException) as error:
        sys.exit(f"{URL} does not answer: {getattr(error, 'reason', error)}.")
    except ValueError:
        sys.exit(f"{URL}{path} answered what is not JSON: {NOT_ODOO}.")


def message(body):
    """What Odoo says of an error; a proxy says it in HTML, which is not shown."""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, LookupError, TypeError):
        return NOT_ODOO


def rpc(path, about, **params):
    found = post(path, {"jsonrpc": "2.0", "id": 1, "params": params})
    if isinstance(found, dict) and "error" in found:
        sys.exit(f"Odoo refused {about}: {found['error'].get('data', {}).get('message')}")
    if not isinstance(found, dict) or "result" not in found:
        sys.exit(f"{URL}{path} answered what Odoo does not: {NOT_ODOO}.")
    return found["result"]


def service(name, method, *args):
    return rpc("/jsonrpc", args[3:5] or method, service=name, method=method, args=args)


def major():
    info = rpc("/web/webclient/version_info", "its version")["server_version_info"]
    return int(str(info[0]).rpartition("~")[2])


if missing := [name for name in NAMES if not os.environ.get(name)]:
    sys.exit(f"Set {', '.join(missing)} first.")
if not URL.startswith(("http://", "https://")):
    sys.exit("ODOO_URL must begin with http:// or https://.")
NEW = major() >= 19 and not os.environ.get("ODOO_JSONRPC")
UID = None if NEW else service("common", "login", DB, ADMIN, KEY)


def call(model, method, *args, names=(), **named):
    if NEW:
        headers = {"Authorization": f"bearer {KEY}", "X-Odoo-Database": DB}
        return post(f"/json/2/{model}/{method}", {**dict(zip(names, args)), **named}, **headers)
    return service("object", "execute_kw", DB, UID, KEY, model, method, args, named)


def search(model, domain, fields, **named):
    return call(model, "search_read", domain, fields, names=("domain", "fields"), **named)


def create(model, rows, **named):
    return call(model, "create", rows, names=("vals_list",), **named)


def delete(model, ids):
    if ids:
        call(model, "unlink", ids, names=("ids",))
    print(f"{model}: {len(ids)} deleted")


def ids(rows):
    return [row["id"] for row in rows]


def groups():
    return search("res.groups", [["name", "=", GROUP]], ["create_date"])


def user():
    return search("res.users", [["login", "=", LOGIN], ["active", "in", [True, False]]], ["partner_id", "create_date"])


def of_users():
    """group_ids from Odoo 19 on, groups_id before."""
    known = call("res.users", "fields_get", ["group_ids", "groups_id"], ["type"], names=("allfields", "attributes"))
    return "group_ids" if "group_ids" in known else "groups_id"


def grant():
    if groups():
        sys.exit(f"The group {GROUP} is there already: undo first.")
    group = create("res.groups", [{"name": GROUP}])[0]
    models = {row["model"]: row["id"] for row in search("ir.model", [["model", "in", MODELS + RULED]], ["model"])}
    rights = [{"name": f"read {m}", "model_id": models[m], "group_id": group, **READ} for m in MODELS if m in models]
    create("ir.model.access", rights)
    rules = [
        {"name": f"read every {m}", "model_id": models[m], "groups": [[6, 0, [group]]], "domain_force": RULE, **READ}
        for m in RULED
        if m in models
    ]
    create("ir.rule", rules)
    print(f"{GROUP}: {len(rights)} models can be read, {len(rules)} of them with all their rows")
    print("not here: " + (", ".join(m for m in MODELS if m not in models) or "nothing"))
    base = [["module", "=", "base"], ["name", "=", "group_user"]]
    internal = search("ir.model.data", base, ["res_id"])[0]["res_id"]
    found = user()
    if found:
        call("res.users", "write", ids(found), {of_users(): [[4, group]]}, names=("ids", "vals"))
        print(f"{LOGIN} has the group now")
    else:
        given = {"name": "odoo-otel", "login": LOGIN, of_users(): [[6, 0, [internal, group]]]}
        create("res.users", [given], context={"no_reset_password": True})
        print(f"{LOGIN} was made, without a password: set one, log in, and make an API key")


def undo():
    found = groups()
    if not found:
        sys.exit(f"There is no group {GROUP}: nothing to undo.")
    delete("ir.model.access", ids(search("ir.model.access", [["group_id", "in", ids(found)]], ["name"])))
    delete("ir.rule", ids(search("ir.rule", [["groups", "in", ids(found)]], ["name"])))
    for one in user():
        if one["create_date"] < found[0]["create_date"]:
            call("res.users", "write", [one["id"]], {of_users(): [[3, ids(found)[0]]]}, names=("ids", "vals"))
            print(f"{LOGIN} was there before and stays, without the group")
            continue
        delete("res.users", [one["id"]])
        delete("res.partner", [one["partner_id"][0]])
    delete("res.groups", ids(found))


if __name__ == "__main__":
    {"grant": grant, "undo": undo}.get(sys.argv[1] if len(sys.argv) == 2 else "", lambda: sys.exit(__doc__))()
'''
