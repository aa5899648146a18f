import { WorldError } from "@perdure/core/errors";
import { MemoryState, memoryWorld } from "@perdure/core/testing";
import { type IdempotentHandler, type IdempotentOptions, idempotent } from "@perdure/http";
import { describe, expect, test } from "vitest";

// What a client gets of a handler behind idempotent(), on the World in memory. What is about time is in idempotent-leases.test.ts.

const basic = (who: string): string => `Basic ${Buffer.from(`${who}:secret`).toString("base64")}`;

function post(
  key: string | null,
  body = "{}",
  { path = "/charges", ...more }: { path?: string; who?: string; headers?: Record<string, string> } = {},
): Request {
  const { who = "alice", headers } = more;
  return new Request(`http://api.example.com${path}`, {
    method: "POST",
    headers: { authorization: basic(who), ...(key !== null && { "idempotency-key": key }), ...headers },
    body,
  });
}

/** A handler that counts its effects, behind idempotent() on a store of its own. */
function counted(options: IdempotentOptions = {}, handler?: IdempotentHandler) {
  const writes: string[] = [];
  const state = new MemoryState();
  const world = memoryWorld({
    state,
    beforeOperation: (name) => {
      if (/Records$/.test(name)) writes.push(name);
    },
  });
  const effects: string[] = [];
  const own: IdempotentHandler = async (request) => {
    effects.push(await request.text());
    return Response.json(
      { n: effects.length },
      { status: 201, headers: { "x-charge": `ch_${effects.length}` } },
    );
  };
  const handle = idempotent(handler ?? own, { world, logger: "silent", ...options });
  return { handle, effects, writes, state };
}

async function seen(response: Response): Promise<unknown> {
  return [response.status, response.headers.get("idempotent-replayed"), await response.text()];
}

test("the first answer is given again, byte for byte, with two writes in all", async () => {
  const bytes = Uint8Array.from({ length: 300 }, (_, n) => n % 256);
  let calls = 0;
  const { handle, writes } = counted({}, async () => {
    calls += 1;
    const headers = new Headers({
      "x-a": "1",
      "content-type": "application/x",
      date: "now",
      location: "/c/1",
    });
    headers.append("set-cookie", "session=1");
    return new Response(bytes, { status: 203, statusText: "So And So", headers });
  });
  const first = await handle(post("k"));
  expect([first.headers.get("set-cookie"), first.headers.get("idempotent-replayed")]).toEqual([
    "session=1",
    null,
  ]);
  expect(new Uint8Array(await first.arrayBuffer())).toEqual(bytes);
  expect(writes).toEqual(["writeRecords", "writeRecords"]);
  const second = await handle(post("k"));
  expect(new Uint8Array(await second.arrayBuffer())).toEqual(bytes);
  expect([second.status, second.statusText, Object.fromEntries(second.headers)]).toEqual([
    203,
    "So And So",
    { "x-a": "1", "content-type": "application/x", location: "/c/1", "idempotent-replayed": "true" },
  ]);
  expect(calls).toBe(1);
});

test("what is no Response is an error that says so, and uses the key up after begin() only", async () => {
  const hostile = new Proxy({}, { get: () => fail(), getPrototypeOf: () => fail() });
  function fail(): never {
    throw new Error("hostile");
  }
  for (const given of [undefined, null, "text", { status: 200 }, () => {}, Response.error(), hostile]) {
    const answers: unknown[] = [given, new Response("at last")];
    const { handle } = counted({}, () => answers.shift() as Response);
    const says =
      given === hostile ? /^hostile$/ : /^idempotent\(\): the handler must give a Response, and gave /;
    await expect(handle(post("k"))).rejects.toThrow(says);
    expect(await seen(await handle(post("k")))).toEqual([200, null, "at last"]);
    expect(await seen(await handle(post("k")))).toEqual([200, "true", "at last"]);
    const begun = counted({}, (_, context) => {
      context.begin();
      return given as Response;
    });
    expect((await begun.handle(post("k"))).status).toBe(500);
    const again = await begun.handle(post("k"));
    expect([again.status, again.headers.get("idempotent-replayed")]).toEqual([500, "true"]);
    let calls = 0;
    const throws = counted({}, () => {
      if (calls++ === 0) throw given;
      return new Response("at last");
    });
    await throws.handle(post("k")).catch(() => {});
    expect((await throws.handle(post("k"))).status).toBe(200);
  }
});

test("errors are answers, and answers without a body", async () => {
  for (const status of [204, 402, 500]) {
    const { handle } = counted({}, async () => new Response(null, { status }));
    await handle(post("k"));
    expect(await seen(await handle(post("k")))).toEqual([status, "true", ""]);
  }
});

test("only the named headers are kept", async () => {
  const { handle } = counted({ headers: ["X-Charge"] });
  await handle(post("k"));
  const { headers } = await handle(post("k"));
  expect(Object.fromEntries(headers)).toEqual({ "x-charge": "ch_1", "idempotent-replayed": "true" });
});

describe("keys", () => {
  test("quoted and bare ones are the same", async () => {
    const { handle, effects } = counted();
    await handle(post("order-17"));
    for (const key of ['"order-17"', ' "order-17";a=1 ', "order-17"]) {
      expect((await handle(post(key))).headers.get("idempotent-replayed"), key).toBe("true");
    }
    await handle(post('"a \\"b\\" \\\\"'));
    expect(effects).toHaveLength(2);
  });

  test("one that cannot be meant is refused before anything is done", async () => {
    const { handle, effects, writes } = counted();
    for (const key of [null, "", '""', "a b", 'a"', '"a', '"a", "b"', "a, b", "x".repeat(256)]) {
      const answer = await handle(post(key));
      expect([answer.status, answer.headers.get("content-type")], String(key)).toEqual([
        400,
        "application/problem+json",
      ]);
    }
    expect([writes, effects]).toEqual([[], []]);
    expect((await handle(post("x".repeat(255)))).status).toBe(201);
  });

  test("are not asked for where they mean nothing, or are not required", async () => {
    const { handle, effects } = counted(
      { required: false },
      async (request, { key, attempt, idempotencyKeyFor }) => {
        effects.push(`${request.method} ${key} ${attempt} ${idempotencyKeyFor("a").length}`);
        return new Response();
      },
    );
    const get = new Request("http://a/", { headers: { "idempotency-key": "k" } });
    await handle(get);
    await handle(get);
    await handle(post(null));
    await handle(post(null));
    expect(effects).toEqual(["GET null 1 48", "GET null 1 48", "POST null 1 48", "POST null 1 48"]);
  });
});

test("another request under the key is refused: body, path, query", async () => {
  const { handle, effects } = counted();
  await handle(post("k", "1"));
  for (const other of [
    post("k", "2"),
    post("k", "1", { path: "/refunds" }),
    post("k", "1", { path: "/charges?a" }),
  ]) {
    const answer = await handle(other);
    expect([answer.status, answer.headers.get("content-type")]).toEqual([422, "application/problem+json"]);
    expect(await answer.json()).toMatchObject({
      status: 422,
      title: expect.any(String),
      detail: expect.any(String),
    });
  }
  expect(effects).toEqual(["1"]);
  const own = counted({ fingerprint: async (request) => (await request.text()).toLowerCase() });
  await own.handle(post("k", "A"));
  expect(await seen(await own.handle(post("k", "a")))).toEqual([201, "true", '{"n":1}']);
});

test("while the first is handled the others are told to wait", async () => {
  let go = (): void => {};
  const opened = new Promise<void>((resolve) => {
    go = resolve;
  });
  const { handle, effects } = counted({}, async () => {
    effects.push("1");
    await opened;
    return new Response("done");
  });
  const first = handle(post("k"));
  const others = await Promise.all([handle(post("k")), handle(post("k"))]);
  for (const other of others) expect([other.status, other.headers.get("retry-after")]).toEqual([409, "1"]);
  expect((await handle(post("k", "other"))).status).toBe(422);
  go();
  expect(await seen(await first)).toEqual([200, null, "done"]);
  expect(await seen(await handle(post("k")))).toEqual([200, "true", "done"]);
  expect(effects).toEqual(["1"]);
});

test("Stripe's forms", async () => {
  let go = (): void => {};
  const { handle } = counted({ mode: "stripe" }, async () => {
    await new Promise<void>((resolve) => {
      go = resolve;
    });
    return new Response("done");
  });
  const first = handle(post("k"));
  const [busy, missing] = [await handle(post("k")), await handle(post(null))];
  expect([busy.status, await busy.json()]).toEqual([
    409,
    { error: { type: "idempotency_error", code: "idempotency_key_in_use", message: expect.any(String) } },
  ]);
  expect([missing.status, await missing.json()]).toMatchObject([
    400,
    { error: { type: "invalid_request_error" } },
  ]);
  go();
  await first;
  const other = await handle(post("k", "other"));
  expect([other.status, await other.json()]).toEqual([
    400,
    { error: { type: "idempotency_error", message: expect.any(String) } },
  ]);
});

describe("a handler that fails", () => {
  test("before begin() does not use the key up", async () => {
    const { handle, effects, state } = counted({}, async (_, { attempt }) => {
      effects.push(`${attempt}`);
      if (effects.length === 1) throw new Error("no such customer");
      if (effects.length === 2) throw Response.json({ error: "no amount" }, { status: 400 });
      return new Response("charged");
    });
    await expect(handle(post("k"))).rejects.toThrow("no such customer");
    expect(await seen(await handle(post("k", "other")))).toEqual([400, null, '{"error":"no amount"}']);
    expect(await seen(await handle(post("k")))).toEqual([200, null, "charged"]);
    expect(effects).toEqual(["1", "1", "1"]);
    expect(JSON.stringify([...state.records.keys("")])).not.toMatch(/alice|secret|"k"/);
  });

  test("after begin() has answered", async () => {
    const { handle, effects } = counted({}, async (request, { begin }) => {
      begin();
      effects.push("1");
      if ((await request.text()) === "stops") throw new Response("declined", { status: 402 });
      throw new Error("secret of the server");
    });
    const first = await seen(await handle(post("k")));
    expect(first).toEqual([500, null, expect.not.stringContaining("secret")]);
    expect(await seen(await handle(post("k")))).toEqual([500, "true", (first as string[])[2]]);
    await handle(post("l", "stops"));
    expect(await seen(await handle(post("l", "stops")))).toEqual([402, "true", "declined"]);
    expect(effects).toHaveLength(2);
  });
});

describe("clients", () => {
  test("have keys of their own", async () => {
    const { handle, effects } = counted();
    await handle(post("k", "of alice"));
    const answer = await handle(post("k", "of bob", { who: "bob" }));
    expect(await seen(answer)).toEqual([201, null, '{"n":2}']);
    expect(await seen(await handle(post("k", "of alice")))).toEqual([201, "true", '{"n":1}']);
    expect(effects).toEqual(["of alice", "of bob"]);
  });

  test("are known by credentials that stay, and not guessed", async () => {
    const { handle, effects } = counted();
    const jwt = [{ alg: "HS256" }, { sub: "alice" }, {}]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".");
    const request = (headers: Record<string, string>): Request =>
      new Request("http://a/", { method: "POST", headers: { "idempotency-key": "k", ...headers } });
    for (const headers of [
      {},
      { cookie: "session=1" },
      { authorization: `Bearer ${jwt}` },
      { authorization: `Bearer ${jwt}`, "x-api-key": "published" },
      { authorization: "DPoP abc" },
      { authorization: "Bearer " },
    ]) {
      const answer = await handle(request(headers as Record<string, string>));
      expect([answer.status, await answer.text()], JSON.stringify(headers)).toEqual([
        500,
        expect.stringContaining("scope"),
      ]);
    }
    for (const headers of [
      { "x-api-key": "a" },
      { authorization: "Bearer sk_a" },
      { authorization: basic("a") },
    ]) {
      await handle(request(headers as Record<string, string>));
      expect(
        (await handle(request(headers as Record<string, string>))).headers.get("idempotent-replayed"),
      ).toBe("true");
    }
    expect(effects).toHaveLength(3);
  });

  test("are named by the program", async () => {
    const { handle, effects } = counted({ scope: async ({ headers }) => headers.get("x-account") ?? "" });
    const headers = { "x-account": "acct_1" };
    await handle(post("k", "{}", { headers, who: "rotates" }));
    expect((await handle(post("k", "{}", { headers }))).headers.get("idempotent-replayed")).toBe("true");
    await expect(handle(post("k"))).rejects.toThrow(/scope gave must be a string that is not empty/);
    expect(effects).toHaveLength(1);
  });
});

test("keys for what the handler calls are of the client's key and the name", async () => {
  const keys: string[] = [];
  const { handle } = counted({}, async (_, { idempotencyKeyFor, attempt }) => {
    keys.push(idempotencyKeyFor("charge"), idempotencyKeyFor("mail"));
    if (keys.length < 4) throw new Error(`attempt ${attempt}`);
    return new Response();
  });
  await handle(post("k")).catch(() => {});
  await handle(post("k"));
  await handle(post("k", "{}", { who: "bob" }));
  expect(keys.slice(0, 2)).toEqual(keys.slice(2, 4));
  expect(new Set(keys).size).toBe(4);
  expect(keys.every((key) => /^[\w-]{1,64}$/.test(key))).toBe(true);
});

describe("bodies", () => {
  test("too large ones are refused before anything is done", async () => {
    const { handle, writes } = counted({ maxBodyBytes: 10 });
    const streamed = new Request("http://a/", {
      method: "POST",
      headers: { authorization: basic("alice"), "idempotency-key": "k" },
      body: ReadableStream.from(["12345", "67890", "1"].map((text) => Buffer.from(text))),
      duplex: "half",
    } as RequestInit);
    for (const request of [post("k", "x".repeat(11)), streamed]) {
      const answer = await handle(request);
      expect([answer.status, await answer.text()]).toEqual([413, expect.stringContaining("10 bytes")]);
    }
    expect(writes).toEqual([]);
    expect((await handle(post("k", "x".repeat(10)))).status).toBe(201);
  });

  test("an answer that is too large is not kept, and its effect not repeated", async () => {
    const { handle, effects } = counted({ maxBodyBytes: 10 }, async () => {
      effects.push("1");
      return new Response(ReadableStream.from(["12345", "67890", "1"].map((text) => Buffer.from(text))));
    });
    const first = await seen(await handle(post("k")));
    expect(first).toEqual([500, null, expect.stringContaining("too large")]);
    expect(await seen(await handle(post("k")))).toEqual([500, "true", (first as string[])[2]]);
    expect(effects).toHaveLength(1);
  });

  test("a streamed answer is kept whole", async () => {
    const { handle } = counted(
      {},
      async () => new Response(ReadableStream.from([Buffer.from("a"), Buffer.from("b")])),
    );
    expect(await seen(await handle(post("k")))).toEqual([200, null, "ab"]);
    expect(await seen(await handle(post("k")))).toEqual([200, "true", "ab"]);
  });
});

test("a store that does not answer is 503, and the handler is not called", async () => {
  let calls = 0;
  const down = () => Promise.reject(new WorldError("the store is down", { retryable: true }));
  const world = memoryWorld({ state: new MemoryState(), beforeOperation: down });
  const handle = idempotent(
    () => {
      calls += 1;
      return new Response();
    },
    { world, logger: "silent" },
  );
  const answer = await handle(post("k"));
  expect([answer.status, answer.headers.get("retry-after"), calls]).toEqual([503, "5", 0]);
});

test("options that cannot be meant are refused", () => {
  const handler = () => new Response();
  const refused: readonly [object, RegExp][] = [
    [{ mod: "ietf" }, /nearest is "mode"/],
    [{ mode: "paypal" }, /"ietf" or "stripe"/],
    [{ ttl: "soon" }, /ttl/],
    [{ ttl: 0 }, /ttl/],
    [{ lease: 10 }, /at least 100 ms/],
    [{ maxBodyBytes: 2 ** 30 }, /maxBodyBytes/],
  ];
  for (const [options, message] of refused) expect(() => idempotent(handler, options)).toThrow(message);
});
