import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";

test("the README's example prints what it says, on the built package", async () => {
  const home = join(import.meta.dirname, "..");
  const example = /```ts\n(.*?)```/s.exec(readFileSync(join(home, "README.md"), "utf8"))?.[1] ?? "";
  mkdirSync(join(home, ".perdure"), { recursive: true });
  const folder = mkdtempSync(join(home, ".perdure/readme-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, "app.ts"), example);

  const { stdout } = await promisify(execFile)(process.execPath, ["app.ts"], { cwd: folder });

  const printed = /; \/\/ (.*)$/m.exec(example)?.[1];
  expect(stdout).toBe(`${printed}\n`);
});
