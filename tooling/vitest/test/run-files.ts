import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Reporter, startVitest } from "vitest/node";

/** Runs the given test files, which are put into the folder, with one reporter alone. */
export async function runFiles(
  folder: string,
  files: Readonly<Record<string, string>>,
  reporter: Reporter,
): Promise<void> {
  for (const [name, body] of Object.entries(files)) await writeFile(join(folder, name), body);
  const exitCode = process.exitCode;
  const vitest = await startVitest("test", [], {
    root: folder,
    config: false,
    watch: false,
    globals: true,
    include: ["*.test.js"],
    reporters: [reporter],
  });
  await vitest.close();
  process.exitCode = exitCode;
}
