import { SerializationError } from "@perdure/core/errors";
import { expect, test } from "vitest";
import { decode, encode, MAX_BODY_BYTES, whenRead } from "../src/serialization/index.ts";

// Request and Response as values.

const copy = async <T>(value: T): Promise<T> => decode(await whenRead(() => encode(value, "value"))) as T;

test("a request keeps method, URL, headers, redirect and its bytes", async () => {
  const bytes = Uint8Array.from([0, 255, 10]);
  const init = {
    method: "PUT",
    headers: { "x-a": "1", cookie: "c=2" },
    body: bytes,
    redirect: "manual",
  } as const;
  const request = await copy(new Request("https://example.com/a?b=c", init));
  expect(request).toBeInstanceOf(Request);
  expect([request.method, request.url, request.redirect]).toEqual([
    "PUT",
    "https://example.com/a?b=c",
    "manual",
  ]);
  expect([...request.headers]).toEqual([
    ["cookie", "c=2"],
    ["x-a", "1"],
  ]);
  expect(new Uint8Array(await request.arrayBuffer())).toEqual(bytes);
});

test("a response keeps status, text, headers with several cookies, and its bytes", async () => {
  const headers = new Headers({ "content-type": "text/plain" });
  headers.append("set-cookie", "a=1");
  headers.append("set-cookie", "b=2");
  const response = await copy(new Response("tea", { status: 418, statusText: "I'm a teapot", headers }));
  expect(response).toBeInstanceOf(Response);
  expect([response.status, response.statusText]).toEqual([418, "I'm a teapot"]);
  expect(response.headers.getSetCookie()).toEqual(["a=1", "b=2"]);
  expect(await response.text()).toBe("tea");
});

test.each([
  ["no body", new Response(null, { status: 204 })],
  ["an error", Response.error()],
])("a response with %s", async (_, response) => {
  const { status, body, type } = await copy(response);
  expect({ status, body, type }).toEqual({ status: response.status, body: null, type: response.type });
});

test("what came out of the journal is stored again without waiting, also when it was read", async () => {
  const { request } = await copy({ request: new Request("http://a/", { method: "POST", body: "once" }) });
  expect(await request.text()).toBe("once");
  await expect(request.text()).rejects.toThrow(TypeError);
  expect(await (decode(encode(request, "value")) as Request).text()).toBe("once");
});

test("storing a value leaves the body to its owner, and one object stays one", async () => {
  const response = new Response("both");
  const [a, b] = await copy([response, response]);
  expect(a).toBe(b);
  expect(await a?.text()).toBe("both");
  expect(await response.text()).toBe("both");
});

test("a call that cannot wait names the place of the body", () => {
  expect(() => encode({ a: [new Response("x")] }, "args")).toThrow(
    /^args\.a\[0\] has a body that has not been read/,
  );
});

test("a body that was used is refused", async () => {
  const response = new Response("x");
  await response.text();
  await expect(copy([response])).rejects.toThrow(/^value\[0\] has a body that was read already.*clone/);
});

test("a body has a limit, and one that breaks off says why", async () => {
  expect((await copy(new Response(new Uint8Array(MAX_BODY_BYTES)))).body).not.toBeNull();
  const large = copy(new Response(new Uint8Array(MAX_BODY_BYTES + 1)));
  await expect(large).rejects.toThrow(SerializationError);
  await expect(large).rejects.toThrow(/more than 8388608 bytes/);
  const broken = new ReadableStream({ pull: (controller) => controller.error(new Error("reset")) });
  await expect(copy(new Response(broken))).rejects.toThrow("reset");
});
