import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bunBinary, killAll, launch, makeProject, run, says } from "./project.ts";

// What docs/runtimes.md says of Deno and Bun.

const deno = ["deno", "run", "--allow-all", "--no-prompt"];
const bun = [bunBinary()];

test.each([
  ["Node", ["node"]],
  ["Deno", deno],
  ["Bun", bun],
])("%s goes on with a run that it was killed in, in plain JavaScript on SQLite", async (_, runtime) => {
  const folder = makeProject("plain");
  const files = ["shop.db", "ledger.txt"];
  const child = launch(folder, [...runtime, "main.js", "start", ...files]);
  await says(child, "packing");
  killAll(child);
  writeFileSync(join(folder, "ledger.txt.open"), "");
  const { stdout, stderr } = await run(folder, [...runtime, "main.js", "end", ...files]);
  const value = { customer: "Ada", sameKey: true, slept: true, refused: "NonDeterminismError", parcels: 1 };
  expect(stdout, stderr).toBe(`${JSON.stringify([value])}\n`);
  // Nothing is said to be missing there, the thread that keeps leases included.
  expect(stderr).toBe("");
});

test("Deno compiles directives as it loads a program, too", async () => {
  const folder = makeProject("app");
  const program = [...deno, "--preload", "npm:perdure/register", "src/main.ts"];
  const files = ["shop.db", "ledger.txt"];
  const child = launch(folder, [...program, "start", ...files]);
  await says(child, "packing");
  killAll(child);
  writeFileSync(join(folder, "ledger.txt.open"), "");
  const { stdout, stderr } = await run(folder, [...program, "end", ...files]);
  expect(stdout, stderr).toContain('"parcels":1,"refusedAt":"orders.ts:42"');
});

test("Bun says of perdure/register what to do instead", async () => {
  const folder = makeProject("app");
  const { stderr } = await run(folder, [...bun, "--preload", "perdure/register", "src/main.ts"]);
  expect(stderr).toContain("perdure/register is not for Bun");
  expect(stderr).toContain("build with `Bun.build` and perdure/bun.");
});
