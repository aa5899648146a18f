import { createHook, RetryableError, sleep, step, workflow } from "@perdure/core";
import { HookConflictError, HookNotFoundError } from "@perdure/core/errors";
import { coldReplay } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// Hooks: durable promises of a run that others resolve.

it("gives payloads in the order in which they were sent, also those from before the workflow awaits", async () => {
  const { process, client, clock, until, settle } = cluster();
  const flow = workflow("collects", async () => {
    const hook = createHook<string>({ token: "in order" });
    await hook.getConflict();
    await sleep("1h");
    return [await hook, await hook, await hook];
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  await client.resumeHook("in order", "first");
  await client.resumeHook("in order", "second");
  await clock.advance(3_600_000);
  await client.resumeHook("in order", "third");
  expect(await until(run.returnValue)).toEqual(["first", "second", "third"]);
});

it("iterates over payloads until the hook is disposed", async () => {
  const { process, client, until, settle } = cluster();
  const flow = workflow("iterates", async () => {
    const hook = createHook<number>({ token: "iterated" });
    const seen: number[] = [];
    for await (const value of hook) {
      seen.push(value);
      if (value === 3) hook.dispose();
    }
    return seen;
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  for (const value of [1, 2, 3]) await client.resumeHook("iterated", value);
  expect(await until(run.returnValue)).toEqual([1, 2, 3]);
});

it("keeps what came before dispose readable; later awaits reject, and the token is free", async () => {
  const { process, client, until, settle } = cluster();
  const opened = gate();
  const wait = step("wait for gate", () => opened.promise);
  const flow = workflow("disposes", async () => {
    const hook = createHook<number>({ token: "disposed" });
    await wait();
    hook.dispose();
    hook.dispose();
    const first = await hook;
    const later = await hook.then(
      () => "got one",
      (error: unknown) => HookNotFoundError.is(error) && error.token,
    );
    const again = createHook<number>({ token: "disposed" });
    return { first, later, conflict: await again.getConflict() };
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  await client.resumeHook("disposed", 1);
  opened.open();
  expect(await until(run.returnValue)).toEqual({ first: 1, later: "disposed", conflict: null });
});

it("frees the token at the end of a `using` block, and when the run ends", async () => {
  const { process, client, until, settle } = cluster();
  const opened = gate();
  const wait = step("wait inside using", () => opened.promise);
  const flow = workflow("uses", async () => {
    {
      using hook = createHook<string>({ token: "used" });
      await hook;
    }
    createHook({ token: "until the end" });
    await wait();
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  await client.resumeHook("used", "x");
  await settle();
  await expect(client.resumeHook("used", "y")).rejects.toSatisfy(HookNotFoundError.is);
  expect((await client.getHookByToken("until the end")).runId).toBe(run.runId);
  opened.open();
  await until(run.returnValue);
  await expect(client.getHookByToken("until the end")).rejects.toSatisfy(HookNotFoundError.is);
  await expect(client.resumeHook("until the end", 1)).rejects.toSatisfy(HookNotFoundError.is);
});

it("tells who has the token: getConflict gives the run, an await rejects with a HookConflictError", async () => {
  const { process, client, until, settle } = cluster();
  const owner = workflow("owner", async () => await createHook({ token: "taken" }));
  const second = workflow("second", async () => {
    const hook = createHook({ token: "taken" });
    const conflict = await hook.getConflict();
    const error = await hook.then(null, (reason: unknown) => reason);
    hook.dispose();
    return {
      conflict,
      error: HookConflictError.is(error) && [error.token, error.conflictingRunId],
      own: await createHook({ token: "taken" }).then(null, (reason: Error) => reason.name),
    };
  });
  await process();
  const first = await client.start(owner, []);
  await settle();
  const run = await client.start(second, []);
  expect(await until(run.returnValue)).toEqual({
    conflict: { runId: first.runId },
    error: ["taken", first.runId],
    own: "HookConflictError",
  });
  // The loser's dispose has not freed the owner's token.
  await client.resumeHook("taken", "still mine");
  expect(await until(first.returnValue)).toBe("still mine");
});

it("has a random token by default, the same one in a replay, and metadata for who looks it up", async () => {
  const { process, client, clock, until, settle, state } = cluster();
  const opened = gate();
  const wait = step("before the token is told", () => opened.promise);
  const flow = workflow("random token", async () => {
    const hook = createHook<number>({ metadata: { order: 17n, at: new Date(5) } });
    await wait();
    return { token: hook.token, value: await hook };
  });
  const first = await process();
  const run = await client.start(flow, []);
  await settle();
  const [held] = state.names.list({ limit: 1, now: clock.now() }).names;
  const token = held?.name.replace("hook:", "");
  expect(token).toMatch(/^[\w-]{32}$/);
  const info = await client.getHookByToken(token as string);
  expect(info).toMatchObject({ token, runId: run.runId, metadata: { order: 17n, at: new Date(5) } });
  expect(info.createdAt).toEqual(new Date(clock.now()));
  first.kill();
  await process();
  await clock.advance(LEASE + 1_000);
  opened.open();
  expect(await client.resumeHook({ token: token as string }, 42)).toEqual({
    token,
    hookId: info.hookId,
    runId: run.runId,
  });
  expect(await until(run.returnValue)).toEqual({ token, value: 42 });
});

it("does not let the loser of a race swallow a payload that comes before the next await", async () => {
  const { process, client, clock, until, settle, journal } = cluster();
  const opened = gate();
  const remind = step("remind", () => opened.promise);
  const flow = workflow("races", async () => {
    const hook = createHook<string>({ token: "raced" });
    for (let reminders = 0; ; reminders++) {
      const answer = await Promise.race([hook, sleep("1h").then(() => null)]);
      if (answer !== null) return { answer, reminders };
      await remind();
    }
  });
  await process();
  const run = await client.start(flow, []);
  await clock.advance(3_600_000);
  await client.resumeHook("raced", "while reminding");
  await settle();
  opened.open();
  expect(await until(run.returnValue)).toEqual({ answer: "while reminding", reminders: 1 });
  expect(await coldReplay({ runId: run.runId, workflow: "races" }, journal(run.runId), clock)).toMatchObject({
    outcome: "returned",
    unmatched: [],
  });
});

it("does not let the loser of Promise.any swallow a payload either", async () => {
  const { process, client, clock, until, settle } = cluster();
  const flow = workflow("any", async () => {
    const hook = createHook<string>({ token: "any" });
    const first = await Promise.any([sleep("1m").then(() => "slept"), hook]);
    await sleep("1m");
    return [first, await hook];
  });
  await process();
  const run = await client.start(flow, []);
  await clock.advance(61_000);
  await client.resumeHook("any", "kept");
  await settle();
  expect(await until(run.returnValue)).toEqual(["slept", "kept"]);
});

it("gives awaits that are pending at the same time the same payload", async () => {
  const { process, client, until, settle } = cluster();
  const flow = workflow("shared", async () => {
    const hook = createHook<number>({ token: "shared" });
    return [...(await Promise.all([hook, hook])), await hook];
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  await client.resumeHook("shared", 1);
  await settle();
  await client.resumeHook("shared", 2);
  expect(await until(run.returnValue)).toEqual([1, 1, 2]);
});

it("takes the winner of a race once", async () => {
  const { process, client, until, settle } = cluster();
  const flow = workflow("winner", async () => {
    const [a, b] = [createHook<string>({ token: "a" }), createHook<string>({ token: "b" })];
    const winners: string[] = [];
    while (winners.length < 4) winners.push(await Promise.race([a, b]));
    return winners;
  });
  await process();
  const { returnValue: winners } = await client.start<string[]>(flow, []);
  await settle();
  for (const [token, value] of [
    ["b", "b1"],
    ["b", "b2"],
    ["a", "a1"],
    ["b", "b3"],
  ] as const) {
    await client.resumeHook(token, value);
  }
  expect((await until(winners)).toSorted()).toEqual(["a1", "b1", "b2", "b3"]);
});

it("delivers a payload once per idempotency key and token", async () => {
  const { process, client, until, settle } = cluster();
  const flow = workflow("deduplicates", async (token: string) => {
    const hook = createHook<number>({ token });
    return [await hook, await hook];
  });
  await process();
  const one = await client.start(flow, ["one"]);
  const two = await client.start(flow, ["two"]);
  await settle();
  const first = await client.resumeHook("one", 1, { idempotencyKey: "evt_1" });
  expect(await client.resumeHook("one", 1, { idempotencyKey: "evt_1" })).toEqual(first);
  // The same key of another token is another payload.
  expect((await client.resumeHook("two", 2, { idempotencyKey: "evt_1" })).runId).toBe(two.runId);
  await client.resumeHook("one", 3, { idempotencyKey: "evt_2" });
  await client.resumeHook("two", 4);
  expect(await until(one.returnValue)).toEqual([1, 3]);
  expect(await until(two.returnValue)).toEqual([2, 4]);
  // A redelivery after the run has ended is answered as before.
  expect(await client.resumeHook("one", 1, { idempotencyKey: "evt_1" })).toEqual(first);
});

it("says that nobody has the token, without printing it", async () => {
  const { client } = cluster();
  await expect(client.resumeHook("nobody's", 1)).rejects.toThrow(
    /^Hook not found. No live hook has this token/,
  );
  await expect(client.getHookByToken("nobody's")).rejects.toSatisfy(HookNotFoundError.is);
});

it("refuses what it cannot store at the call, with its path", async () => {
  const { process, client, until } = cluster();
  await expect(client.resumeHook("any token", { user: { socket: () => {} } })).rejects.toThrow(
    /^payload\.user\.socket /,
  );
  await expect(client.resumeHook("t", 1, { idempotencyKey: "" })).rejects.toThrow(/idempotencyKey/);
  const flow = workflow("bad metadata", async () => {
    createHook({ metadata: { open: () => {} } });
  });
  const bad = workflow("bad token", async () => {
    createHook({ token: "" });
  });
  await process();
  await expect(until((await client.start(flow, [])).returnValue)).rejects.toThrow(/metadata\.open /);
  await expect(until((await client.start(bad, [])).returnValue)).rejects.toThrow(/1 to 255 characters/);
  expect(() => createHook()).toThrow(/createHook\(\) was called outside a workflow/);
});

it("goes on in another worker when a payload was accepted and its worker died", async () => {
  const { process, client, clock, until, settle } = cluster();
  const flow = workflow("moves", async () => {
    const hook = createHook<number>({ token: "moved" });
    return [await hook, await hook];
  });
  const first = await process();
  const run = await client.start(flow, []);
  await settle();
  await client.resumeHook("moved", 1);
  first.kill();
  await client.resumeHook("moved", 2);
  await process();
  await clock.advance(LEASE + 1_000);
  expect(await until(run.returnValue)).toEqual([1, 2]);
});

it("hears at once what was sent while the claim of its run was being answered", async () => {
  const { process, client, row, settle, types, when } = cluster();
  const long = gate();
  let attempts = 0;
  const again = step("again", async () => {
    if (++attempts === 1) throw new RetryableError("not yet", { retryAfter: 1_000 });
    await long.promise;
  });
  const flow = workflow("hears", async () => {
    const hook = createHook<string>({ token: "meanwhile" });
    const working = again();
    await hook;
    await working;
  });
  const { fault } = await process();
  const { runId } = await client.start(flow, []);
  await settle();
  const answer = gate();
  const isTaken = (): boolean => row(runId).owner !== null;
  fault((operation) => (operation === "claim answer" && isTaken() ? answer.promise : undefined));
  await when(isTaken);
  await client.resumeHook("meanwhile", "there");
  await settle();
  fault(null);
  answer.open();
  await settle();
  expect(attempts).toBe(2);
  expect(types(runId)).toContain("hook_received");
  long.open();
});
