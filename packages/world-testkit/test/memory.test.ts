import { describeWorld } from "../src/index.ts";
import { memoryTarget } from "./memory-target.ts";

describeWorld({ name: "memory", create: () => memoryTarget() });
