import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { projectFolder } from "./bin.ts";

// docs/operate.md walks through "a run failed last night". Its commands are run here, in their order, and print what the page says.

interface Shown {
  readonly args: readonly string[];
  readonly output: string;
}

/** The commands in the page's console blocks, with what stands below them. */
function commandsOf(page: string): Shown[] {
  const blocks = [...page.matchAll(/^```console\n(.*?)^```$/gms)].map(([, text]) => text as string);
  return blocks.flatMap((block) =>
    block
      .split(/^\$ perdure /m)
      .slice(1)
      .map((shown) => {
        const end = shown.indexOf("\n");
        const args = [...shown.slice(0, end).matchAll(/'([^']*)'|(\S+)/g)].map(
          ([, quoted, plain]) => quoted ?? plain ?? "",
        );
        return { args, output: shown.slice(end + 1) };
      }),
  );
}

/** Replaces what differs each time: ids by their order, times, lengths, places. */
class Normal {
  readonly ids: string[] = [];

  of(text: string): string {
    return text
      .replaceAll(/\b(wrun|step|sys|worker)_[\w-]{20,}/g, (id) => {
        if (!this.ids.includes(id)) this.ids.push(id);
        return `<id ${this.ids.indexOf(id)}>`;
      })
      .replaceAll(/\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/g, "<time>")
      .replaceAll(/\d+(\.\d+)? (ms|s|min|h|days)\b/g, "<length>")
      .replaceAll(/file:\/\/\S*\/(?=[\w-]+\.ts)/g, "file:///")
      .replaceAll(/ +/g, " ")
      .replaceAll(/ +$/gm, "")
      .trim();
  }
}

test("a run failed last night", { timeout: 60_000 }, async () => {
  const { folder, perdure, start } = projectFolder("operate/billing.ts");
  for (const [id, cents] of [
    ["in_41", 900],
    ["in_42", 4200],
  ] as const) {
    const args = ["start", "workflow//./billing//invoice", JSON.stringify([id, cents])];
    expect(await perdure(...args, "--key", id, "--attribute", `invoice=${id}`)).toMatchObject({ code: 0 });
  }
  const worker = start("worker", "billing.ts");
  await worker.line((line) => line.includes("executes what is due"));
  const ended = async (status: string, count: number): Promise<void> => {
    await expect
      .poll(async () => JSON.parse((await perdure("runs", "--status", status, "--json")).out).length, {
        timeout: 20_000,
      })
      .toBe(count);
  };
  await ended("failed", 1);

  const page = readFileSync(join(import.meta.dirname, "../../../docs/operate.md"), "utf8");
  const [shown, real] = [new Normal(), new Normal()];
  const commands = commandsOf(page);
  expect(commands.length).toBeGreaterThan(5);
  for (const { args, output } of commands) {
    const ours = args.map((arg) =>
      shown.ids.includes(arg) ? (real.ids[shown.ids.indexOf(arg)] ?? arg) : arg,
    );
    const { out, error } = await perdure(...ours);
    expect.soft(real.of(out + error), `perdure ${args.join(" ")}`).toBe(shown.of(output));
    if (args[0] === "run") writeFileSync(join(folder, "provider-is-up"), "");
    if (args[0] === "retry") await ended("completed", 2);
  }
  worker.signal("SIGTERM");
  expect(await worker.ended()).toBe(0);
});
