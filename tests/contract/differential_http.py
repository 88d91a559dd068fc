"""HTTP below the operations: how bodies are read, which paths exist, and preflights of a browser."""

from __future__ import annotations

import json
import zlib

from .differential import Run


def bodies(run: Run) -> None:
    """How a body is read."""
    for step, text in (
        ("null", "null"),
        ("trailing", '"x" y'),
        ("two", '"x" "y"'),
        ("space", ' \n"x"\n '),
        ("blank", "  "),
        ("number", "5"),
        ("list", "[]"),
        ("object", "{}"),
        ("true", "true"),
        ("broken", '"x'),
        ("surrogate", '"\\ud800"'),
        ("bad_utf8", b'"\xff"'),
        ("control", '"a\nb"'),
    ):
        run.bare(f"bodies.rpc_{step}", "cal", "POST", "/v2/rpc/echo", text)
    for step, text in (
        ("trailing", '{"location":"a"} x'),
        ("two", '{"location":"b"}{"location":"c"}'),
        ("trailing_brace", '{"location":"d"}}'),
        ("unknown_twice", '{"x":1,"x":2,"location":"e"}'),
        ("nested_twice", '{"x":{"y":1,"y":2},"location":"f"}'),
        ("known_twice", '{"location":"g","location":"h"}'),
        ("both_cases", '{"display_name":"g","displayName":"h"}'),
        ("null_twice", '{"location":null,"location":"i"}'),
        ("unknown_number", '{"x":1e999,"location":"j"}'),
        ("blank", "  "),
        ("comment", '{"location":"k"} // x'),
        ("nul", '{"location":"l"}\0'),
        ("bad_utf8", b'{"location":"\xff"}'),
        ("bom", '\ufeff{"location":"m"}'),
        ("big_int", '{"x":1' + "0" * 100_000 + ',"location":"n"}'),
        ("big_known", '{"display_name":1' + "0" * 100_000 + ',"location":"o"}'),
    ):
        run.bare(f"bodies.{step}", "cal", "PUT", "/v2/account", text)
        run.rest(
            f"bodies.{step}_then", "cal", "GET", "/v2/account", pick=lambda got: got["user"].get("location")
        )
    device = f'{{"id":"{run.name("device-cal")}","vars":{{"a":"1","a":"2"}}}}'
    run.bare("bodies.map_twice", "key", "POST", "/v2/account/authenticate/device", device)
    zipped = {"Content-Encoding": "gzip"}
    run.bare("bodies.plain_as_gzip", "cal", "PUT", "/v2/account", '{"location":"zip"}', zipped)
    run.bare(
        "bodies.plain_as_gzip_long", "cal", "PUT", "/v2/account", '{"location":"zip"}' + " " * 5000, zipped
    )
    run.bare("bodies.rpc_as_gzip", "cal", "POST", "/v2/rpc/echo", '"zip"', zipped)
    run.bare("bodies.empty_as_gzip", "cal", "PUT", "/v2/account", "", zipped)
    for encoding, wbits in (("gzip", 31), ("deflate", -15)):
        packer = zlib.compressobj(wbits=wbits)
        packed = packer.compress(json.dumps({"location": encoding}).encode()) + packer.flush()
        run.bare(f"bodies.{encoding}", "cal", "PUT", "/v2/account", packed, {"Content-Encoding": encoding})
        run.rest(
            f"bodies.{encoding}_then", "cal", "GET", "/v2/account", pick=lambda got: got["user"].get("location")
        )
    run.bare("bodies.plain_as_br", "cal", "PUT", "/v2/account", '{"location":"br"}', {"Content-Encoding": "br"})


def paths(run: Run) -> None:
    for step, path in (
        ("twice", "//v2/account"),
        ("inside", "/v2//account"),
        ("dot", "/v2/./account"),
        ("up", "/v2/x/../account"),
        ("query", "//v2/account?a=b&c=%20d"),
        ("root", "//"),
        ("escaped", "/v2/%61ccount"),
        ("escaped_slash", "/v2%2Faccount"),
        ("channel", "/v2/channel/"),
        ("leaderboard", "/v2/leaderboard/"),
        ("storage", "/v2/storage/"),
        ("tournament", "/v2/tournament/"),
        ("group", "/v2/group/"),
        ("owner", "/v2/leaderboard/x/owner/"),
        ("user_group", "/v2/user//group"),
        ("storage_user", "/v2/storage/x/"),
        ("rpc_deep", "/v2/rpc/a/b"),
        ("rpc_twice", "/v2/rpc//"),
        ("case", "/V2/account"),
        ("semicolon", "/v2/account;x"),
        ("channel_space", "/v2/channel/%20"),
        ("channel_slash", "/v2/channel/2...a%2Fb"),
        ("subscription", "/v2/iap/subscription/"),
        ("ws", "//ws"),
        ("verb", "/v2/account:x"),
    ):
        run.bare(f"paths.{step}", "cal", "GET", path)
    run.bare("paths.post_twice", "cal", "POST", "//v2/rpc/echo", '"x"')
    run.bare("paths.head", "cal", "HEAD", "/v2/account")
    run.bare("paths.head_root", "cal", "HEAD", "/")
    run.bare("paths.post_root", "cal", "POST", "/")
    run.bare("paths.put_unknown", "cal", "PUT", "/v2/nothing")
    run.bare("paths.delete_rpc", "cal", "DELETE", "/v2/rpc/echo")


def queries(run: Run) -> None:
    """Query strings that Go does not parse, and keys in other places than usual."""
    for step, query in (
        ("escape", "usernames=%zz"),
        ("escape_end", "usernames=a%4"),
        ("escape_key", "%=a"),
        ("semicolon", "usernames=a;b"),
        ("empty", "&&="),
        ("bare_key", "usernames"),
    ):
        run.bare(f"queries.{step}", "cal", "GET", f"/v2/user?{query}")
        run.bare(f"queries.friends_{step}", None, "GET", f"/v2/friend?{query}")
        run.bare(f"queries.account_{step}", "cal", "GET", f"/v2/account?{query}")
        run.bare(f"queries.rpc_{step}", "cal", "POST", f"/v2/rpc/echo?{query}", '"x"')
    run.bare("queries.path", "cal", "GET", "/v2/storage/%")
    run.bare("queries.path_end", None, "GET", "/v2/storage/a%4")
    run.bare("queries.empty_key", None, "POST", "/v2/rpc/echo?http_key=", '"x"')
    run.bare("queries.empty_key_token", "cal", "POST", "/v2/rpc/echo?http_key=", '"x"')
    for step, value in (
        ("no_base64", "Basic !!!"),
        ("no_colon", "Basic ZGVmYXVsdGtleQ=="),
        ("lower", "basic ZGVmYXVsdGtleTo="),
        ("other_key", "Basic ZGVmYXVsdGtleTo="),
        ("bare", "Bearer"),
        ("lower_bearer", "bearer a.b.c"),
    ):
        for place, path in (("rpc", "/v2/rpc/echo"), ("account", "/v2/account/authenticate/device")):
            run.bare(f"queries.{place}_{step}", None, "POST", path, '"x"', {"Authorization": value})


def handshakes(run: Run) -> None:
    """Websocket handshakes in which a part is missing."""
    whole = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    for name in whole:
        rest = {other: value for other, value in whole.items() if other != name}
        run.bare(f"handshakes.no_{name}", "cal", "GET", "/ws", None, rest)
        run.bare(f"handshakes.bad_{name}", "cal", "GET", "/ws", None, {**rest, name: "8"})


def browsers(run: Run) -> None:
    """Preflights, as a browser sends them before a request to another origin."""
    origin = {"Origin": "http://game.example"}

    def preflight(step: str, method: str, headers: str = "", path: str = "/v2/account", **more: str) -> None:
        preflight_headers = {**origin, "Access-Control-Request-Method": method, **more}
        if headers:
            preflight_headers["Access-Control-Request-Headers"] = headers
        run.bare(
            f"browsers.{step}", None, "OPTIONS", path, headers={k: v for k, v in preflight_headers.items() if v}
        )

    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "get", "TRACE"):
        preflight(f"method_{method}", method)
    for step, headers in (
        ("allowed", "authorization,content-type"),
        ("spaced", "Authorization, Content-Type"),
        ("own", "x-own"),
        ("mixed", "authorization,x-own"),
        ("agent", "user-agent"),
        ("simple", "accept,accept-language,origin"),
        ("content_language", "content-language"),
        ("empty", ","),
        ("encoding", "content-encoding"),
        ("requested", "x-requested-with"),
    ):
        preflight(f"headers_{step}", "POST", headers)
    preflight("no_method", "")
    preflight("no_origin", "GET", Origin="")
    preflight("unknown_path", "GET", path="/v2/nothing")
    preflight("root", "GET", path="/")
    preflight("socket", "GET", path="/ws")
    run.bare("browsers.bare_options", None, "OPTIONS", "/v2/account")
    run.bare("browsers.options_rpc", None, "OPTIONS", "/v2/rpc/echo")
    run.bare("browsers.get", "cal", "GET", "/v2/account/", headers=origin)
    run.bare("browsers.refused", None, "GET", "/v2/account", headers=origin)
    run.bare("browsers.health", None, "GET", "/healthcheck", headers={"Origin": "null"})
