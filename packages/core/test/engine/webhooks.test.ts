import {
  continueAsNew,
  createHook,
  createWebhook,
  type RequestWithResponse,
  step,
  workflow,
} from "@perdure/core";
import { Run } from "@perdure/core/api";
import { HookNotFoundError, WorkflowNotRegisteredError } from "@perdure/core/errors";
import { coldReplay } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { type Cluster, cluster, LEASE } from "./cluster.ts";

// Webhooks: from the request that arrives to the response that its sender gets.

const post = (body: string, headers: Record<string, string> = {}): Request =>
  new Request("https://shop.example/hooks/x?y=1", { method: "POST", body, headers });

const answers = step("answers", async (request: RequestWithResponse, text: string) => {
  await request.respondWith(Response.json({ text, got: await request.text() }, { status: 201 }));
});

/** A workflow that has the webhook of this token and gives what it got. */
async function started(c: Cluster, id: string, fn: () => Promise<unknown>): Promise<Run> {
  await c.process();
  const run = await c.client.start(workflow(id, fn), []);
  await c.settle();
  return run;
}

it("delivers the request and answers 202", async () => {
  const c = cluster();
  const run = await started(c, "plain webhook", async () => {
    const webhook = createWebhook({ token: "plain/é" });
    const request = await webhook;
    const { method, url } = request;
    return {
      at: webhook.url,
      method,
      url,
      type: request.headers.get("content-type"),
      body: await request.json(),
    };
  });
  const response = await c.client.resumeWebhook("plain/é", post('{"a":1}', { "content-type": "x/y" }));
  expect(response.status).toBe(202);
  expect(await c.until(run.returnValue)).toEqual({
    at: "http://localhost:3000/.well-known/workflow/v1/webhook/plain%2F%C3%A9",
    method: "POST",
    url: "https://shop.example/hooks/x?y=1",
    type: "x/y",
    body: { a: 1 },
  });
  await expect(c.client.resumeWebhook("plain/é", post(""))).rejects.toSatisfy(HookNotFoundError.is);
});

it("answers with its response, each sender with one of its own, and asks in the same order in a replay", async () => {
  const c = cluster();
  const run = await started(c, "static webhook", async () => {
    const respondWith = new Response("thanks", { status: 203, headers: { "x-a": "b" } });
    const webhook = createWebhook({ token: "static", respondWith });
    const other = createWebhook({ token: "static, other" });
    createHook({ token: "static, and a hook" });
    const got: string[] = [];
    for await (const request of webhook) {
      got.push(await request.text());
      if (got.length === 2) return [...got, await (await other).text()];
    }
  });
  for (const text of ["one", "two"]) {
    const response = await c.client.resumeWebhook("static", post(text));
    expect([response.status, response.headers.get("x-a"), await response.text()]).toEqual([
      203,
      "b",
      "thanks",
    ]);
    await c.settle();
  }
  await c.client.resumeWebhook("static, other", post("three"));
  expect(await c.until(run.returnValue)).toEqual(["one", "two", "three"]);
  const created = c.journal(run.runId).filter(({ type }) => type === "hook_created");
  expect(created.map(({ name }) => name)).toEqual(["static", "static, other", "static, and a hook"]);
  const replayed = await coldReplay({ ...c.row(run.runId) }, c.journal(run.runId), c.clock);
  expect(replayed).toMatchObject({ outcome: "returned", unmatched: [] });
});

it("answers what a step says, once, also when the body was read before", async () => {
  const c = cluster();
  const run = await started(c, "manual webhook", async () => {
    const request = await createWebhook({ token: "manual", respondWith: "manual" });
    const text = await request.text();
    await answers(request, "first");
    await answers(request, "second");
    return text;
  });
  const response = await c.until(c.client.resumeWebhook("manual", post("hello")));
  expect(response.status).toBe(201);
  expect(await response.json()).toEqual({ text: "first", got: "hello" });
  expect(await c.until(run.returnValue)).toBe("hello");
});

it("answers what the workflow says", async () => {
  const c = cluster();
  const run = await started(c, "answers itself", async () => {
    const request = await createWebhook({ token: "itself", respondWith: "manual" });
    await request.respondWith(new Response("from the workflow"));
  });
  const response = await c.until(c.client.resumeWebhook("itself", post("")));
  expect(await response.text()).toBe("from the workflow");
  await c.until(run.returnValue);
});

it("answers 504 when the run ends without an answer, and when none came in time", async () => {
  const c = cluster();
  await started(c, "never answers", async () => {
    const webhook = createWebhook({ token: "silent", respondWith: "manual" });
    await webhook;
    await webhook;
  });
  const began = c.clock.now();
  const late = await c.until(c.client.resumeWebhook("silent", post(""), { timeout: "7s" }));
  expect([late.status, c.clock.now() - began]).toEqual([504, 7_000]);
  const ended = await c.until(c.client.resumeWebhook("silent", post("")));
  expect(ended.status).toBe(504);
  expect(c.clock.now() - began).toBeLessThan(30_000);
});

it("takes the methods that it names and bodies within the limit, and delivers nothing else", async () => {
  const c = cluster();
  const run = await started(c, "strict webhook", async () => {
    const request = await createWebhook({ token: "strict", method: ["post", "PUT"] });
    return await request.text();
  });
  const wrong = await c.client.resumeWebhook("strict", new Request("https://a/"));
  expect([wrong.status, wrong.headers.get("allow")]).toEqual([405, "POST, PUT"]);
  const options = { maxBodyBytes: 3 };
  expect((await c.client.resumeWebhook("strict", post("four"), options)).status).toBe(413);
  const stream = new Blob(["ab", "cd"]).stream();
  const chunked = new Request("https://a/", { method: "PUT", body: stream, duplex: "half" } as RequestInit);
  expect((await c.client.resumeWebhook("strict", chunked, options)).status).toBe(413);
  expect((await c.client.resumeWebhook("strict", post("abc"), options)).status).toBe(202);
  expect(await c.until(run.returnValue)).toBe("abc");
});

it("is all that is reached: a plain hook is not", async () => {
  const c = cluster();
  const run = await started(c, "plain hook", async () => await createHook({ token: "no webhook" }));
  await expect(c.client.resumeWebhook("no webhook", post(""))).rejects.toSatisfy(HookNotFoundError.is);
  await c.client.resumeHook("no webhook", "by a program");
  expect(await c.until(run.returnValue)).toBe("by a program");
});

it("may have its token from createHook", async () => {
  const c = cluster();
  const run = await started(c, "hook that is a webhook", async () => {
    expect(() => createHook({ isWebhook: true, experimental_minRetention: "1h" })).toThrow("is not kept");
    expect(() => createHook({ isWebhook: "yes" as never })).toThrow("createHook({ isWebhook })");
    using hook = createHook<Request>({ token: "ours", isWebhook: true });
    return await (await hook).text();
  });
  expect((await c.client.resumeWebhook("ours", post("abc"))).status).toBe(202);
  expect(await c.until(run.returnValue)).toBe("abc");
});

const verify = async (request: Request) => {
  const id = request.headers.get("id");
  if ((await request.text()) === "throw") throw new Error("bad signature");
  return request.headers.get("secret") === "s" && (id === null || { messageId: id });
};

it("verifies before it delivers, a run that is in no memory too, and takes a message once", async () => {
  const c = cluster();
  const ready = step("ready", async () => 0);
  const process = await c.process();
  const flow = workflow("verified webhook", async () => {
    const got: string[] = [];
    await ready();
    for await (const request of createWebhook({ token: "verified", verify })) {
      got.push(await request.text());
      if (got.at(-1) === "over") return got;
    }
  });
  const run = await c.client.start(flow, []);
  await c.settle();
  process.kill();
  const send = (text: string, headers: Record<string, string>) =>
    c.until(c.client.resumeWebhook("verified", post(text, headers)));
  expect((await send("a", {})).status).toBe(401);
  expect((await send("throw", { secret: "s" })).status).toBe(401);
  expect(c.state.runs.get(run.runId)?.mailbox).toHaveLength(0);
  for (const text of ["b", "b again"]) expect((await send(text, { secret: "s", id: "m1" })).status).toBe(202);
  expect((await send("over", { secret: "s" })).status).toBe(202);
  await c.process();
  await c.clock.advance(2 * LEASE);
  expect(await c.until(run.returnValue)).toEqual(["b", "over"]);
  await expect(c.client.resumeWebhook("verified", post(""))).rejects.toSatisfy(HookNotFoundError.is);
});

it("takes nothing where the code that verifies is not", async () => {
  const c = cluster();
  await started(c, "code elsewhere", async () => await createWebhook({ token: "elsewhere", verify }));
  const { registry } = await import("../../src/define/registry.ts");
  const code = registry.workflows.get("code elsewhere");
  registry.workflows.delete("code elsewhere");
  try {
    const taken = c.client.resumeWebhook("elsewhere", post("", { secret: "s" }));
    await expect(taken).rejects.toSatisfy(WorkflowNotRegisteredError.is);
  } finally {
    if (code !== undefined) registry.workflows.set("code elsewhere", code);
  }
});

it("goes on with its URL, facts and verify in the next generation", async () => {
  const c = cluster();
  const flow = workflow("webhook generations", async (urls: readonly string[]): Promise<unknown> => {
    const webhook = createWebhook({ token: "kept", verify, respondWith: new Response("kept") });
    const request = await webhook;
    const all = [...urls, `${webhook.url} ${await request.text()}`];
    return all.length === 2 ? all : await continueAsNew([all]);
  });
  await c.process();
  const run = await c.client.start(flow, [[]]);
  await c.settle();
  for (const text of ["one", "two"]) {
    expect((await c.until(c.client.resumeWebhook("kept", post(text)))).status).toBe(401);
    const response = await c.until(c.client.resumeWebhook("kept", post(text, { secret: "s" })));
    expect(await response.text()).toBe("kept");
    await c.settle();
  }
  const url = "http://localhost:3000/.well-known/workflow/v1/webhook/kept";
  expect(await c.until(run.returnValue)).toEqual([`${url} one`, `${url} two`]);
});

it("is refused what cannot be meant", async () => {
  const c = cluster();
  const run = await started(c, "wrong options", async () =>
    [{ respondWith: "later" }, { method: [] }, { method: "a b" }, { verify: "whsec_x" }, { token: "" }].map(
      (options) => {
        try {
          return createWebhook(options as object);
        } catch (error) {
          return (error as Error).message;
        }
      },
    ),
  );
  expect(await c.until(run.returnValue)).toEqual([
    'createWebhook({ respondWith }): must be a Response or "manual", got "later".',
    'createWebhook({ method }): must be a method such as "POST", or some, got [].',
    'createWebhook({ method }): must be a method such as "POST", or some, got "a b".',
    "createWebhook({ verify }): must be a function, got string.",
    "createWebhook({ token }): must be a string of 1 to 255 characters, got .",
  ]);
});

it("gives the run that has the token as a Run, and keeps a token for a time after the run's end", async () => {
  const c = cluster();
  const keeps = workflow("keeps its token", async () => {
    const hook = createHook({ token: "retained", experimental_minRetention: "1h" });
    return (await hook.getConflict()) === null;
  });
  const asks = workflow("asks for the token", async () => {
    const hook = createHook({ token: "retained" });
    const owner = await hook.getConflict();
    return owner === null ? null : { owner, status: await owner.status, result: await owner.returnValue };
  });
  await c.process();
  const first = await c.client.start(keeps, []);
  expect(await c.until(first.returnValue)).toBe(true);
  await expect(c.client.resumeHook("retained", 1)).rejects.toSatisfy(HookNotFoundError.is);
  expect(await c.client.getHookByToken("retained")).toMatchObject({ runId: first.runId });
  await c.clock.advance(3_500_000);
  const second = await c.client.start(asks, []);
  const found = (await c.until(second.returnValue)) as { owner: Run };
  expect(found).toMatchObject({ status: "completed", result: true });
  expect(found.owner).toBeInstanceOf(Run);
  expect(found.owner.runId).toBe(first.runId);
  await c.clock.advance(200_000);
  const third = await c.client.start(asks, []);
  expect(await c.until(third.returnValue)).toBeNull();
});

it("crosses into a step as its token and URL, and a hook as its token", async () => {
  const c = cluster();
  const tell = step("tell", async (webhook: { token: string; url: string }, hook: { token: string }) => [
    { ...webhook },
    Object.keys(hook),
    hook.token,
  ]);
  const run = await started(c, "told webhook", async () => {
    const webhook = createWebhook({ token: "told" });
    return await tell(webhook, createHook({ token: "also told" }));
  });
  expect(await c.until(run.returnValue)).toEqual([
    { token: "told", url: "http://localhost:3000/.well-known/workflow/v1/webhook/told" },
    ["token"],
    "also told",
  ]);
});
