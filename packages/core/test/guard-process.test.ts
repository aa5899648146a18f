import { createRequire } from "node:module";
import { step, workflow } from "@perdure/core";
import { guardProcess } from "@perdure/core/compiled";
import { coldReplay, decode } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster } from "./engine/cluster.ts";

// A library that copies what it needs when it is loaded, as many that make ids do.

type Crypto = typeof import("node:crypto");

it("covers what is copied after it, in workflows and nowhere else, and stays when workers close", async () => {
  const require = createRequire(import.meta.url);
  guardProcess();
  const { randomBytes, randomUUID } = require("node:crypto") as Crypto;
  const library = { id: () => `${randomBytes(8).toString("hex")} ${randomUUID()}` };
  const { process, client, clock, until, journal } = cluster();
  const look = step("look", async () => library.id());
  const flow = workflow("uses a library", async () => [library.id(), await look(), await look()]);
  const { worker } = await process();
  const run = await client.start<string[]>(flow, []);
  const result = await until(run.returnValue);
  expect(new Set(result).size).toBe(3);
  await until(worker.close());
  expect((require("node:crypto") as Crypto).randomBytes).toBe(randomBytes);
  const replayed = await coldReplay(
    { runId: run.runId, workflow: "uses a library" },
    journal(run.runId),
    clock,
  );
  expect(decode(replayed.output)).toEqual(result);
  expect(library.id()).not.toBe(library.id());
});
