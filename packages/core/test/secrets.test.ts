import { inspect } from "node:util";
import { createHook, step, workflow } from "@perdure/core";
import {
  HookConflictError,
  HookNotFoundError,
  IdempotencyMismatchError,
  WorldError,
} from "@perdure/core/errors";
import { jsonLogger } from "@perdure/core/runtime";
import { expect, it, vi } from "vitest";
import { consoleLogger } from "../src/console-logger.ts";
import { cluster } from "./engine/cluster.ts";

// What is printed never holds start keys, hook tokens, payloads or passwords.

const SECRET = "s3cret-planted";

const shown = (value: unknown): string =>
  `${inspect(value, { depth: 10, getters: true })}\n${JSON.stringify(value)}\n${String(value)}\n${(value as Error)?.stack}`;

const use = step("use", async (payload: unknown) => payload);

it("errors about keys and tokens name the workflow and the run, and keep the secret for programs only", async () => {
  const { process, client, until } = cluster();
  const flow = workflow("secrets", async (_: string) => {
    const hook = createHook<string>({ token: SECRET });
    return await use(await hook);
  });
  await process();
  const options = { idempotencyKey: SECRET };
  const run = await client.start(flow, ["a"], options);
  const other = await client.start(flow, ["b"]);
  const errors = await Promise.all(
    [
      client.start(flow, [SECRET], options),
      client.start(flow, [SECRET], { ...options, onConflict: "reject" }),
      client.resumeHook(`${SECRET} of nobody`, SECRET),
      client.getHookByToken(`${SECRET} of nobody`),
      until(other.returnValue),
    ].map((call) =>
      call.then(
        () => null,
        (error: unknown) => error,
      ),
    ),
  );
  for (const error of errors) {
    expect(error).toBeInstanceOf(Error);
    expect(shown(error)).not.toContain(SECRET);
  }
  expect(errors[0]).toMatchObject({ idempotencyKey: SECRET, runId: run.runId });
  expect((errors[0] as Error).message).toContain('workflow "secrets"');
  expect((errors[2] as HookNotFoundError).token).toBe(`${SECRET} of nobody`);
});

it.each([
  new IdempotencyMismatchError("w", SECRET, "wrun_1"),
  new HookConflictError(SECRET, "wrun_2"),
  new HookNotFoundError(SECRET),
])("$name has no enumerable secret", (error) => {
  expect(shown(error)).not.toContain(SECRET);
  expect({ ...error }).not.toHaveProperty("token");
});

it("what the engine prints of a store that fails has no password and no values", async () => {
  const lines: unknown[] = [];
  const spies = (["warn", "error"] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation((line) => void lines.push(line)),
  );
  const loggers = [consoleLogger(), jsonLogger((line) => void lines.push(line))];
  const log = (level: "warn" | "error") => (message: string, fields?: Record<string, unknown>) => {
    for (const logger of loggers) logger[level](message, fields);
  };
  const logger = { debug() {}, info() {}, warn: log("warn"), error: log("error") };
  const { process, client, settle, clock } = cluster();
  const worker = await process({ logger });
  const flow = workflow("fails", async (value: string) => await use(value));
  worker.fault(() => {
    const cause = Object.assign(new Error(`connect redis://app:${SECRET}@127.0.0.1`), {
      command: { name: "set", args: [SECRET] },
      detail: SECRET,
    });
    throw new WorldError(`The store at postgres://app:${SECRET}@127.0.0.1/app does not answer.`, { cause });
  });
  await client.start(flow, [SECRET], { idempotencyKey: SECRET });
  await settle();
  await clock.advance(20_000);
  worker.fault(null);
  for (const spy of spies) spy.mockRestore();
  expect(lines.join("\n")).toContain("does not answer");
  expect(lines.join("\n")).not.toContain(SECRET);
});
