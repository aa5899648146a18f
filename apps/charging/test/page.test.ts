import { afterEach, expect, it } from "vitest";
import { Chronicle } from "../src/page/chronicle.ts";
import { type Page, servePage } from "../src/page/page-server.ts";

let page: Page | undefined;

afterEach(() => page?.close());

/** The next events of the stream, as many as are asked for. */
async function events(url: string, count: number, headers: Record<string, string> = {}): Promise<unknown[]> {
  const response = await fetch(`${url}events`, { headers });
  expect(response.headers.get("content-type")).toBe("text/event-stream");
  const found: unknown[] = [];
  let text = "";
  for await (const part of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
    text += part;
    const lines = text.split("\n\n");
    text = lines.pop() ?? "";
    found.push(...lines.map((line) => JSON.parse(line.slice(line.indexOf("data: ") + 6))));
    if (found.length >= count) break;
  }
  return found;
}

it("tells all that has happened to whoever comes late, and the rest to whoever comes back", async () => {
  const chronicle = new Chronicle();
  page = await servePage(chronicle);
  chronicle.add({ type: "killed", victim: "worker", door: 0 });
  chronicle.add({ type: "restarted", victim: "worker", door: 0 });
  expect(await events(page.url, 2)).toMatchObject([{ type: "killed", at: 0 }, { type: "restarted" }]);
  expect(await events(page.url, 1, { "Last-Event-ID": "0" })).toMatchObject([{ type: "restarted" }]);
  const live = events(page.url, 3);
  chronicle.add({ type: "note", line: "after" });
  expect((await live).at(-1)).toMatchObject({ type: "note", line: "after" });
});

it("is one file that loads nothing from elsewhere", async () => {
  page = await servePage(new Chronicle());
  const response = await fetch(page.url);
  const html = await response.text();
  expect(html).not.toMatch(/(src|href)="(?!data:)|@import|https?:/);
  expect(response.headers.get("content-security-policy")).toContain("default-src 'self'");
  expect((await fetch(`${page.url}elsewhere`)).status).toBe(404);
});
