import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const home = join(import.meta.dirname, "..");

// A Node that says it is old; that the packages load there at all is what CI's oldest Node shows.
const older = `data:text/javascript,
Object.defineProperty(process, "version", { value: "v20.1.0" });
Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.1.0" } });
process.getBuiltinModule("module").registerHooks = undefined;`.replaceAll("\n", " ");

const said = "perdure needs Node 22.13 or later, and this is v20.1.0: update Node.";

test.each(["index", "api", "runtime"])("an older Node says in one line what %s needs", async (entry) => {
  const stderr = await failure(
    "--input-type=module",
    "--eval",
    `import ${JSON.stringify(url(`dist/${entry}.js`))}`,
  );
  expect(stderr).toContain(`Error: ${said}`);
  expect(stderr).not.toMatch(/\n\s+at /);
});

test("it says so of the command", async () => {
  expect(await failure(join(home, "bin/perdure.js"), "runs")).toBe(`Error: ${said}\n`);
});

test("it says so of perdure/register, which needs a later one", async () => {
  const stderr = await failure("--import", url("dist/register.js"), "--eval", "0");
  expect(stderr).toContain(
    "Error: perdure/register needs Node 22.15 or later, and this is v20.1.0: update Node, or build with the plugin of a bundler.",
  );
  expect(stderr).not.toMatch(/\n\s+at /);
});

function url(path: string): string {
  return new URL(path, `file://${home}/`).href;
}

/** What an older Node has on stderr when it fails. */
function failure(...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(process.execPath, ["--import", older, ...args], (error, stdout, stderr) => {
      if (error?.code === 1) resolve(stderr);
      else reject(new Error(`It ended with ${error?.code ?? 0}: ${stdout}${stderr}`));
    });
  });
}
