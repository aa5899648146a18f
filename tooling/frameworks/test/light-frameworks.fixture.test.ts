import { testEach } from "../framework-tests.ts";
import { frameworks } from "../fixtures.ts";

testEach(frameworks.filter(({ light }) => light));
