import { describe, expect, it } from "vitest";
import { SerializationError } from "../src/errors/index.ts";
import {
  decode,
  encode,
  registerClass,
  WORKFLOW_DESERIALIZE,
  WORKFLOW_SERIALIZE,
} from "../src/serialization/index.ts";

const copy = <T>(value: T): T => decode(encode(value, "value")) as T;

class Point {
  readonly x: number;
  readonly y: unknown;
  constructor(x: number, y: unknown) {
    this.x = x;
    this.y = y;
  }
  static [WORKFLOW_SERIALIZE](point: Point): unknown {
    return { x: point.x, y: point.y };
  }
  static [WORKFLOW_DESERIALIZE](data: { x: number; y: unknown }): Point {
    // `this` is the class, as in any static method: subclasses come back as themselves.
    return new this(data.x, data.y);
  }
}

class Pixel extends Point {
  static readonly classId = "graphics/Pixel";
}

describe("classes with the two symbols", () => {
  it("have the symbols of the Workflow SDK", () => {
    expect(WORKFLOW_SERIALIZE).toBe(Symbol.for("workflow-serialize"));
    expect(WORKFLOW_DESERIALIZE).toBe(Symbol.for("workflow-deserialize"));
  });

  it("come back as instances, with everything storable inside them", () => {
    const back = copy({ points: [new Point(1, new Map([[1, new Point(2, null)]]))] });
    expect(back.points[0]).toBeInstanceOf(Point);
    expect(back.points[0]?.y).toEqual(new Map([[1, new Point(2, null)]]));
  });

  it("keep being one object where they are met twice", () => {
    const point = new Point(1, 2);
    const [a, b] = copy([point, point]);
    expect(a).toBe(b);
  });

  it("may share data, as long as they do not contain themselves", () => {
    const point = new Point(0, 0);
    expect(copy(new Point(1, [point, new Point(2, point)]))).toEqual(
      new Point(1, [point, new Point(2, point)]),
    );
    const list: unknown[] = [];
    list.push(new Point(1, list));
    expect(() => encode([list[0]], "args")).toThrow(
      /^args\[0\]\.y\[0\] is an instance of Point that contains itself/,
    );
  });

  it("are stored under the id they were registered with, their classId, or their name", () => {
    class Registered extends Point {}
    registerClass("geometry/Registered", Registered);
    const text = Buffer.from(
      encode([new Registered(1, 1), new Pixel(1, 1), new Point(1, 1)], "v") ?? [],
    ).toString();
    expect(text).toContain('"geometry/Registered"');
    expect(text).toContain('"graphics/Pixel"');
    expect(text).toContain('"Point"');
    expect(copy(new Pixel(3, 4))).toBeInstanceOf(Pixel);
  });

  it("need an id of their own if another class has the same name", () => {
    const Twin = (() => {
      class Point extends Pixel {}
      return Point;
    })();
    encode(new Point(1, 1), "v");
    expect(() => encode([new Twin(1, 1)], "args")).toThrow(
      /^args\[0\] is an instance of a second class with the id "Point"/,
    );
  });

  it("may be registered again, as when a module is evaluated anew", () => {
    const versions = [1, 2].map(() => class Reloaded extends Point {});
    for (const version of versions) registerClass("Reloaded", version);
    const [older, newer] = versions as [typeof Point, typeof Point];
    expect(copy(new older(1, 1))).toBeInstanceOf(newer);
  });

  it("that this process does not know are refused with the line that mends it", () => {
    const stored = Buffer.from('d[["Instance",1],{"@data":2,"@class":3},{},"billing/Invoice"]');
    expect(() => decode(stored)).toThrow(SerializationError);
    expect(() => decode(stored)).toThrow(
      /"billing\/Invoice", which is not registered.*registerClass\("billing\/Invoice"/,
    );
    expect(decode(stored, { lenient: true })).toEqual({});
  });

  it("with one symbol only, or whose method throws, are refused at their place", () => {
    class Half {
      readonly x = 1;
      static [WORKFLOW_SERIALIZE](): unknown {
        return {};
      }
    }
    class Throws extends Point {
      static override [WORKFLOW_SERIALIZE](): unknown {
        throw new Error("not today");
      }
    }
    class Leaks extends Point {
      static override [WORKFLOW_SERIALIZE](): unknown {
        return { inner: { socket: () => {} } };
      }
    }
    expect(() => encode([new Half()], "args")).toThrow(
      /^args\[0\] is an instance of Half, which lacks WORKFLOW_DESERIALIZE/,
    );
    expect(() => encode([new Throws(1, 1)], "args")).toThrow(
      /^args\[0\] is an instance of Throws whose .* threw Error: not today/,
    );
    expect(() => encode([new Leaks(1, 1)], "args")).toThrow(/^args\[0\]\.inner\.socket is a function/);
  });

  it("whose WORKFLOW_DESERIALIZE throws are refused with the cause", () => {
    class Picky extends Point {
      static override [WORKFLOW_DESERIALIZE](): Point {
        throw new Error("too old");
      }
    }
    const stored = encode(new Picky(1, 1), "v");
    expect(() => decode(stored)).toThrow(
      expect.objectContaining({
        code: "SERIALIZATION_FAILED",
        cause: expect.objectContaining({ message: "too old" }),
      }),
    );
  });
});
