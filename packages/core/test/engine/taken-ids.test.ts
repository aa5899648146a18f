import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { step, workflow } from "@perdure/core";
import { methods } from "@perdure/core/compiled";
import * as copies from "@perdure/core/compiled-copies";
import { WorkflowRuntimeError } from "@perdure/core/errors";
import { deploy } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster } from "./cluster.ts";

// An id belongs to one function of the program; a module that is loaded again brings the same function again.

function refusalOf(define: () => unknown): Error {
  try {
    define();
  } catch (error) {
    if (WorkflowRuntimeError.is(error)) return error;
  }
  throw new Error("It was taken.");
}

it.each([
  ["workflow", workflow],
  ["step", step],
] as const)("refuses a second function under the id of a %s, with both places", (kind, define) => {
  deploy();
  define(`payment of ${kind}`, async () => "refunded");
  const { message } = refusalOf(() => define(`payment of ${kind}`, async () => "charged"));
  expect(message).toContain(`Two functions have the ${kind} id "payment of ${kind}"`);
  const places = [...message.matchAll(/taken-ids\.test\.ts:(\d+):\d+/g)].map(([, line]) => Number(line));
  expect(places).toEqual([places[0], (places[0] ?? 0) + 1]);
});

it("keeps the first function where a second one was refused", async () => {
  const { client, process, until } = cluster();
  const refund = workflow("kept", async () => "refunded");
  refusalOf(() => workflow("kept", async () => "charged"));
  await process();
  expect(await until((await client.start(refund, [])).returnValue)).toBe("refunded");
});

it("refuses methods and bound functions as well", () => {
  deploy();
  const first = {
    async pay() {
      return 1;
    },
  };
  const second = {
    async pay() {
      return 2;
    },
  };
  methods(first, { pay: ["step", "methods pay"] });
  const { message } = refusalOf(() => methods(second, { pay: ["step", "methods pay"] }));
  expect(message.match(/taken-ids\.test\.ts/g)).toHaveLength(2);
  const bound = async function (this: number) {
    return this;
  };
  workflow("bound", bound.bind(1));
  refusalOf(() => workflow("bound", bound.bind(2)));
});

it("takes the same function again, and another of the same text; start() executes none but the one it was given", async () => {
  const { client } = cluster();
  const traced = (fn: () => Promise<string>) => async () => await fn();
  const refund = workflow(
    "traced",
    traced(async () => "refunded"),
  );
  workflow("traced", refund);
  // Indistinguishable from the first by its text, and of another place.
  const charge = workflow(
    "traced",
    traced(async () => "charged"),
  );
  await expect(client.start(refund, [])).rejects.toThrow(/Two functions have the workflow id "traced"/);
  await client.start(charge, []);
});

it("takes a module that is loaded again, as it was or edited, and refuses the same id in another module", async () => {
  const { client, process, until } = cluster();
  const directory = await mkdtemp(join(tmpdir(), "perdure-reload-"));
  const core = import.meta.resolve("@perdure/core");
  const load = async (
    file: string,
    version: number,
    answer: string,
    above = "",
  ): Promise<{ flow: () => Promise<string> }> => {
    const path = join(directory, file);
    await writeFile(
      path,
      `${above}import { workflow } from ${JSON.stringify(core)};\nexport const flow = workflow("reloaded", async () => "${answer}");\n`,
    );
    return await import(/* @vite-ignore */ `${pathToFileURL(path)}?version=${version}`);
  };
  const first = await load("a.mjs", 1, "one");
  await load("a.mjs", 2, "one");
  await load("a.mjs", 3, "two");
  await load("a.mjs", 4, "three", "// a line more\n");
  await process();
  // The code of the first load is that of the last by now.
  expect(await until((await client.start<string>(first.flow, [])).returnValue)).toBe("three");
  await expect(load("b.mjs", 1, "three and a half")).rejects.toThrow(/Two functions.*\n.*a\.mjs.*\n.*b\.mjs/);
});

it("takes functions of one id for the same where a build holds a module in several bundles, and the last one counts", async () => {
  const { client, process, until } = cluster();
  const one = copies.step("copied step", async () => "one");
  const flow = copies.workflow("copied", async () => await one());
  const again = copies.step("copied step", async () => `two`);
  copies.workflow("copied", async () => `${await again()} in the second bundle`);
  copies.methods({ pay: async () => 1 }, { pay: ["step", "copied method"] });
  copies.methods({ pay: async () => 2 }, { pay: ["step", "copied method"] });
  await process();
  expect(await until((await client.start(flow, [])).returnValue)).toBe("two in the second bundle");
  // What another build has compiled is another function.
  refusalOf(() => workflow("copied", async () => "another"));
});
