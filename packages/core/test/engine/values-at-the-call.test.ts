import {
  createHook,
  createWebhook,
  defineHook,
  getWritable,
  once,
  sleep,
  step,
  workflow,
} from "@perdure/core";
import { getHookByToken, getRun, listRuns, resumeHook, resumeWebhook, start } from "@perdure/core/api";
import { SerializationError, WorkflowRunCancelledError } from "@perdure/core/errors";
import { configure, shutdown } from "@perdure/core/runtime";
import { memoryWorld } from "@perdure/core/testing";
import { expect, it, onTestFinished } from "vitest";

// What is passed is taken as it is at the call: a program may use its object again at once.

function program(): void {
  configure({ world: memoryWorld(), worker: true });
  onTestFinished(shutdown);
}

it("start() takes arguments and options as they are at the call", async () => {
  program();
  const flow = workflow("takes", async (order: { customer: string }, bytes: Uint8Array) => [
    order.customer,
    ...bytes,
  ]);
  const order = { customer: "" };
  const bytes = new Uint8Array(1);
  const options = { idempotencyKey: "", ttl: new Date(), onConflict: "reject" as const };
  const starting = ["alice", "bob", "carol"].map((customer, index) => {
    order.customer = customer;
    bytes[0] = index;
    options.idempotencyKey = `charge ${customer}`;
    return start(flow, [order, bytes], options);
  });
  options.idempotencyKey = "";
  options.ttl.setTime(Number.NaN);
  const runs = await Promise.all(starting);
  expect(await Promise.all(runs.map((run) => run.returnValue))).toEqual([
    ["alice", 0],
    ["bob", 1],
    ["carol", 2],
  ]);
});

it("resumeHook() and cancel() do so as well", async () => {
  program();
  const listen = workflow("listens", async () => {
    const payloads: unknown[] = [];
    for await (const payload of createHook({ token: "inbox" }))
      if (payloads.push(payload) === 3) return payloads;
  });
  const waits = workflow("waits", async () => await sleep("1d"));
  const [listening, waiting] = [await start(listen), await start(waits)];
  const options = { idempotencyKey: "" };
  const why = { reason: "" };
  const hook = { token: "inbox" };
  const payload = { n: 0 };
  await expect
    .poll(() =>
      resumeHook(hook, payload).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  const sending = [1, 2].map((n) => {
    payload.n = n;
    options.idempotencyKey = `message ${n}`;
    return resumeHook(hook, payload, options);
  });
  payload.n = 0;
  hook.token = "";
  why.reason = "asked for";
  const cancelling = getRun(waiting.runId).cancel(why);
  why.reason = "";
  await Promise.all([...sending, cancelling]);
  expect(await listening.returnValue).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
  const error = await waiting.returnValue.catch((reason: unknown) => reason);
  expect(WorkflowRunCancelledError.is(error) && error.reason).toBe("asked for");
});

it("a step takes its arguments as they are at the call, and a hook its metadata", async () => {
  program();
  const takes = step("takes", async (order: { customer: string }) => order.customer);
  const flow = workflow("calls steps", async () => {
    const order = { customer: "alice" };
    const taking = takes(order);
    order.customer = "bob";
    return [await taking, await takes(order)];
  });
  expect(await (await start(flow)).returnValue).toEqual(["alice", "bob"]);
});

it("streams take their chunks as they are at write(), in a step and outside, and refuse each in its turn", async () => {
  program();
  const row = { n: 0 };
  const bytes = Buffer.alloc(1);
  const write = async (stream: WritableStream<unknown>): Promise<void> => {
    const writer = stream.getWriter();
    const writing = [1, 2].flatMap((n) => {
      row.n = n;
      bytes[0] = n;
      return [writer.write(row), writer.write(bytes)];
    });
    const refused = writer.write(() => {});
    row.n = 0;
    bytes[0] = 0;
    await Promise.all(writing);
    await expect(refused).rejects.toSatisfy(SerializationError.is);
  };
  const writes = step("writes rows", async () => await write(getWritable<unknown>()));
  const flow = workflow("has streams", async () => {
    await writes();
    await createHook({ token: "end of streams" });
  });
  const run = await start(flow);
  const read = async (name?: string): Promise<unknown[]> => {
    const rows: unknown[] = [];
    const options = name === undefined ? {} : { namespace: name };
    for await (const { data } of run.chunks<unknown>(options)) if (rows.push(data) === 4) break;
    return rows;
  };
  await write(run.getWritable<unknown>({ namespace: "outside" }));
  const rows = [{ n: 1 }, Buffer.of(1), { n: 2 }, Buffer.of(2)];
  expect([await read(), await read("outside")]).toEqual([rows, rows]);
});

it("fork() takes its arguments so, and resumeWebhook() the request's headers", async () => {
  program();
  const does = step("does", async () => {});
  const flow = workflow("is forked", async (order: { customer: string }) => {
    await does();
    return order.customer;
  });
  const order = { customer: "first" };
  const run = await start(flow, [order]);
  await run.returnValue;
  let fromStep = "";
  for await (const { type, id } of run.events()) if (type === "step_created") fromStep = id ?? "";
  const forking = ["alice", "bob"].map((customer) => {
    order.customer = customer;
    return run.fork({ fromStep, args: [order] });
  });
  order.customer = "late";
  const forks = await Promise.all(forking);
  expect(await Promise.all(forks.map((fork) => fork.returnValue))).toEqual(["alice", "bob"]);

  const hears = workflow("hears requests", async () => {
    const request = await createWebhook({ token: "requests", method: "POST" });
    return [request.headers.get("x-customer"), await request.text()];
  });
  const hearing = await start(hears);
  await expect.poll(() => getHookByToken("requests").catch(() => null)).not.toBeNull();
  const request = new Request("http://localhost/", { method: "POST", body: "paid" });
  request.headers.set("x-customer", "alice");
  const taking = resumeWebhook("requests", request);
  request.headers.set("x-customer", "late");
  await taking;
  expect(await hearing.returnValue).toEqual(["alice", "paid"]);
});

it.each(["at once", "later"])(
  "a defined hook takes its payload so, whose schema looks at it %s",
  async (when) => {
    program();
    const validate = (value: unknown) => ({ value: value as { n: number } });
    const later = async (value: unknown) => validate(value);
    const schema = { version: 1 as const, vendor: "test", validate: when === "later" ? later : validate };
    const defined = defineHook<{ n: number; at: Date }, { n: number }>({ schema: { "~standard": schema } });
    const hears = workflow(`hears ${when}`, async () => {
      using hook = defined.create({ token: when });
      return [(await hook).n, (await hook).n];
    });
    const run = await start(hears);
    await expect.poll(() => getHookByToken(when).catch(() => null)).not.toBeNull();
    const [payload, hook, options] = [{ n: 0, at: new Date() }, { token: "" }, { idempotencyKey: "" }];
    const sending = [1, 2].map((n) => {
      payload.n = n;
      hook.token = when;
      options.idempotencyKey = `message ${n}`;
      return defined.resume(hook, payload, options);
    });
    payload.n = 0;
    hook.token = "";
    options.idempotencyKey = "late";
    await Promise.all(sending);
    expect(await run.returnValue).toEqual([1, 2]);
  },
);

it("values are taken so, too, where the body of a response beside them is read first", async () => {
  program();
  type Order = { customer: string };
  const gives = step("gives", async (response: Response, order: Order) => {
    const result = { response: new Response(await response.text()), order };
    setImmediate(() => {
      order.customer = "late";
    });
    return result;
  });
  const flow = workflow("reads bodies", async (response: Response, order: Order) => {
    const asked = { customer: `${order.customer}, of ${await response.text()}` };
    const giving = gives(new Response("step"), asked);
    asked.customer = "late";
    const given = await giving;
    using hook = createHook<{ response: Response; order: Order }>({ token: order.customer });
    const told = await hook;
    const texts = [await given.response.text(), await told.response.text()];
    return [given.order.customer, told.order.customer, ...texts];
  });
  const order = { customer: "" };
  const options = { idempotencyKey: "", attributes: { customer: "" }, ttl: new Date(Date.now() + 60_000) };
  const names = ["alice", "bob"];
  const starting = names.map((customer) => {
    order.customer = customer;
    options.idempotencyKey = customer;
    options.attributes.customer = customer;
    return start(flow, [new Response(`start ${customer}`), order], options);
  });
  order.customer = options.idempotencyKey = options.attributes.customer = "late";
  options.ttl.setTime(Number.NaN);
  const runs = await Promise.all(starting);
  for (const name of names) await expect.poll(() => getHookByToken(name).catch(() => null)).not.toBeNull();
  const hook = { token: "" };
  const telling = names.map((customer) => {
    order.customer = `told ${customer}`;
    hook.token = customer;
    return resumeHook(hook, { response: new Response(`payload ${customer}`), order });
  });
  order.customer = hook.token = "late";
  await Promise.all(telling);
  expect(await Promise.all(runs.map((run) => run.returnValue))).toEqual(
    names.map((name) => [`${name}, of start ${name}`, `told ${name}`, "step", `payload ${name}`]),
  );
  const { runs: found } = await listRuns({ attributes: { customer: "bob" } });
  expect(found.map(({ runId }) => runId)).toEqual([runs[1]?.runId]);
});

it("resume-or-start takes all of it so, whichever of payload and arguments has the body, and once() its arguments", async () => {
  program();
  type Order = { customer: string };
  const flow = workflow("is started by a payload", async (order: Order, _?: Response) => {
    using hook = createHook<{ order: Order; text?: Response }>({ token: `of ${order.customer}` });
    return [order.customer, (await hook).order.customer];
  });
  const [order, told] = [{ customer: "" }, { customer: "" }];
  const options = { idempotencyKey: "", attributes: { customer: "" } };
  const [asked, given] = [[flow, [order], options], { idempotencyKey: "" }] as [
    [typeof flow, unknown[], typeof options],
    { idempotencyKey: string },
  ];
  const sending = ["payload", "arguments", "both"].map((customer) => {
    order.customer = options.idempotencyKey = options.attributes.customer = given.idempotencyKey = customer;
    told.customer = `told ${customer}`;
    const args = [order, ...(customer === "payload" ? [] : [new Response("body")])];
    asked[1] = args;
    const payload = { order: told, ...(customer !== "arguments" && { text: new Response("body") }) };
    const resuming = resumeHook(`of ${customer}`, payload, { ...given, orStart: asked });
    args.length = 0;
    return resuming;
  });
  order.customer = told.customer = options.idempotencyKey = options.attributes.customer = "late";
  const sent = await Promise.all(sending);
  expect(await Promise.all(sent.map(({ runId }) => getRun(runId).returnValue))).toEqual(
    ["payload", "arguments", "both"].map((name) => [name, `told ${name}`]),
  );
  expect((await listRuns({ attributes: { customer: "payload" } })).runs).toHaveLength(1);

  const charge = step("charge", async ({ customer }: Order, response: Response) => [
    customer,
    await response.text(),
  ]);
  const key = { key: "charge alice" };
  order.customer = "alice";
  const charging = once(key, charge, order, new Response("body"));
  order.customer = key.key = "late";
  expect(await charging).toEqual(["alice", "body"]);
});

it("a singleton's key is that of the arguments at the call, though a body beside them is read first", async () => {
  program();
  const seen: string[] = [];
  const options = { singleton: { key: ({ customer }: { customer: string }) => customer } };
  const flow = workflow(
    "is the only one",
    async (order: { customer: string }, _: Response) => {
      seen.push(order.customer);
      await sleep("1d");
    },
    options,
  );
  const order = { customer: "" };
  const starting = ["alice", "bob", "alice"].map((customer) => {
    order.customer = customer;
    return start(flow, [order, new Response("body")]);
  });
  order.customer = "late";
  const [alice, bob, again] = await Promise.all(starting);
  expect([again?.runId === alice?.runId, bob?.runId === alice?.runId]).toEqual([true, false]);
  await expect.poll(() => seen.toSorted()).toEqual(["alice", "bob"]);
});

it("a workflow's return value is taken when it returns, and its error when it throws", async () => {
  program();
  const later = async (change: () => void): Promise<void> => {
    // Beside the function's own end: some microtasks later, and before anything is committed.
    for (let turn = 0; turn < 20; turn++) await undefined;
    change();
  };
  const returns = workflow("returns", async () => {
    const receipt = { total: 1 };
    void later(() => {
      receipt.total = 2;
    });
    return receipt;
  });
  const throws = workflow("throws", async () => {
    const error = new Error("as thrown");
    void later(() => {
      error.message = "changed";
    });
    throw error;
  });
  expect(await (await start(returns)).returnValue).toEqual({ total: 1 });
  await expect((await start(throws)).returnValue).rejects.toThrow(/as thrown/);
});

it("what cannot be stored is a rejection, and not thrown at the caller", async () => {
  program();
  const flow = workflow("refuses", async (_: unknown) => {});
  const deep = Array.from({ length: 5_400 }).reduce<unknown>((inner) => [inner], -0);
  for (const value of [() => {}, deep]) {
    const calls = [
      start(flow, [value]),
      resumeHook("nobody", value),
      getRun("wrun_1").cancel({ reason: value as string }),
    ];
    for (const result of await Promise.allSettled(calls)) {
      expect(result.status === "rejected" && SerializationError.is(result.reason)).toBe(true);
    }
  }
});
