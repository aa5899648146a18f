import { join } from "node:path";
import { expect, it } from "vitest";
import { expected, makeProject, node, reportOf } from "./project.ts";

const hook = "@perdure/compiler/register";

it("runs a project without a build", async () => {
  const root = makeProject();
  expect(reportOf(await node(root, "--enable-source-maps", "--import", hook, "src/main.ts"))).toEqual(
    expected,
  );
});

it("keeps the lines of stack traces without source maps", async () => {
  const root = makeProject();
  const report = reportOf(await node(root, "--import", hook, "src/main.ts"));
  expect(report).toMatchObject({ where: expect.stringMatching(/^charge\.ts:16:/) });
});

it("gives the same ids from whichever folder it is started", async () => {
  const root = makeProject();
  const path = join(root, "node_modules", hook.replace("/register", "/dist/register.js"));
  expect(
    reportOf(await node("/", "--enable-source-maps", "--import", path, join(root, "src/main.ts"))),
  ).toEqual(expected);
});

it("imports the runtime from `workflow` where a project has only that name for it", async () => {
  const root = makeProject("workflow");
  const { code, stderr } = await node(root, "--import", hook, "src/warned.ts");
  expect(code, stderr).toBe(0);
});

it("stops at errors and names them", async () => {
  const root = makeProject();
  const { code, stderr } = await node(root, "--import", hook, "src/broken.ts");
  expect(code).toBe(1);
  expect(stderr).toContain(`CompileError: ${join(root, "src/broken.ts")}:2:3 error misspelled-directive`);
  expect(stderr).toContain("broken.ts:4:60 error nondeterministic-call");
});

it("emits warnings", async () => {
  const root = makeProject();
  const { code, stderr } = await node(root, "--import", hook, "src/warned.ts");
  expect(code).toBe(0);
  expect(stderr).toMatch(/\[process-env\] PerdureWarning: .*warned\.ts:3:10 warning/);
});

it("says that Node cannot run JSX", async () => {
  const root = makeProject();
  const { code, stderr } = await node(root, "--import", hook, "src/page.tsx");
  expect(code).toBe(1);
  expect(stderr).toContain("page.tsx cannot be loaded: Node cannot run JSX.");
});
