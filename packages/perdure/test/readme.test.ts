import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

// The README's example, as printed but for the host, run by the built package as a user would.
const home = join(import.meta.dirname, "..");
const keys: (string | undefined)[] = [];
let folder = "";
let server: Server;

beforeAll(async () => {
  server = createServer((request, response) => {
    keys.push(request.headers["idempotency-key"] as string | undefined);
    response.end(JSON.stringify({ id: `ch_${keys.length}` }));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  // Inside the package, where its own name resolves to its builds.
  mkdirSync(join(home, ".perdure"), { recursive: true });
  folder = mkdtempSync(join(home, ".perdure/readme-"));
});

afterAll(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

test("the README's example charges once and gets the same answer when it is run again", async () => {
  const readme = readFileSync(join(home, "README.md"), "utf8");
  const example = /```ts\n(\/\/ app\.ts\n.*?)```/s.exec(readme)?.[1] ?? "";
  const { port } = server.address() as AddressInfo;
  expect(example).toContain("https://payments.example/");
  writeFileSync(
    join(folder, "app.ts"),
    example.replace("https://payments.example", `http://127.0.0.1:${port}`),
  );

  const run = promisify(execFile);
  const args = ["--import", "perdure/register", "app.ts"];
  const first = await run(process.execPath, args, { cwd: folder });
  const second = await run(process.execPath, args, { cwd: folder });

  expect(first.stdout).toBe("{ customer: 'cus_1', charge: 'ch_1' }\n");
  expect(second.stdout).toBe(first.stdout);
  expect(keys).toEqual([expect.stringMatching(/^step_[\w-]+$/)]);
});

test("the README's order sleeps, waits for its approval and is shipped, its pauses shortened", async () => {
  const readme = readFileSync(join(home, "README.md"), "utf8");
  for (const name of ["order", "approve"]) {
    const example = new RegExp(`\`\`\`ts\\n(// ${name}\\.ts\\n.*?)\`\`\``, "s").exec(readme)?.[1] ?? "";
    expect(example).not.toBe("");
    writeFileSync(join(folder, `${name}.ts`), example.replace("2_000", "10").replace('"5s"', '"10ms"'));
  }
  const run = promisify(execFile);
  const order = run(process.execPath, ["--import", "perdure/register", "order.ts"], { cwd: folder });
  // Until the order has come to its hook, nobody has the token.
  for (let approved = false; !approved; ) {
    approved = await run(process.execPath, ["approve.ts"], { cwd: folder }).then(
      () => true,
      ({ stderr }) => {
        if (!stderr.includes("HookNotFoundError")) throw new Error(stderr);
        return false;
      },
    );
  }
  expect((await order).stdout).toMatch(/^wrun_\w+\n(packing [123]\n){3}shipped\n$/);
});
