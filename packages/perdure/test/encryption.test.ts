import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { projectFolder } from "./bin.ts";

// What the commands show of encrypted runs, with the key and without it.

const INVOICE = "workflow//./billing//invoice";
const KEY = Buffer.alloc(32, 7).toString("base64");

const config = (encryption: string): string =>
  `import { defineConfig, sqliteWorld } from "perdure/runtime";
   export default defineConfig({ world: () => sqliteWorld({ path: "app.db" }), files: ["billing.ts"], ${encryption} });`;

test("values with the key, their places without it, and no failure either way", {
  timeout: 120_000,
}, async () => {
  const { folder, perdure, start } = projectFolder("operate/billing.ts");
  writeFileSync(join(folder, "perdure.config.ts"), config(`encryption: { keys: { "2026": "${KEY}" } }`));
  writeFileSync(join(folder, "keyless.config.ts"), config(""));
  const without = ["--config", "keyless.config.ts"];
  const id = (await perdure("start", INVOICE, '["in_7",900]')).out.trim();
  const worker = start("worker");
  await worker.line("to cus_in_7: receipt of 900 cents");
  worker.signal("SIGTERM");
  expect(await worker.ended()).toBe(0);

  const shown = await perdure("run", id);
  expect(shown).toMatchObject({ code: 0, error: "" });
  expect(shown.out).toContain("receipt of 900 cents");

  const hidden = await perdure("run", id, ...without);
  expect(hidden).toMatchObject({ code: 0, error: "" });
  expect(hidden.out).toContain(`completed  ${INVOICE}`);
  expect(hidden.out).toMatch(/args +<encrypted with the key "2026">/);
  expect(hidden.out).toMatch(/step +step\/\/\.\/billing\/\/charge .* → <encrypted with the key "2026">/);
  expect(hidden.out).toMatch(/Give the right ones in perdure\.config\.ts, as encryption:\n {2}2026\n/);
  const json = JSON.parse((await perdure("run", id, "--json", ...without)).out);
  expect(json).toMatchObject({ status: "completed", result: '<encrypted with the key "2026">' });
  for (const command of [["runs"], ["stats"], ["hooks"], ["keys"], ["locks"], ["workers"], ["health"]]) {
    expect(await perdure(...command, ...without)).toMatchObject({ code: 0, error: "" });
  }

  expect(await perdure("replay", "--last", "1")).toMatchObject({ code: 0 });
  const replay = await perdure("replay", "--last", "1", ...without);
  expect(replay.code).toBe(2);
  expect(replay.out).toContain(
    "0 of 1 journals are followed, 0 diverge.\n1 could not be read: they are encrypted with keys that are not here",
  );
});
