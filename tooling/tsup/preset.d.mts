import type { Options } from "tsup";

/** The one way our packages are built: ESM, one file per export, declarations beside it. */
export declare function preset(entry: Record<string, string>): Options;
