// The picture of the playground in the README: docs/playground.png. `npm run build` comes first.

import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { launch, open } from "./browser.mjs";
import { palettePng } from "./png.mjs";
import { serve } from "./server.mjs";

const FILE = fileURLToPath(new URL("../../../docs/playground.png", import.meta.url));
/** A moment at which much has been stolen and much still waits. */
const MOMENT = "?seed=1&workers=4&policy=half&victim=random&share=70&cost=1000&t=700";
const MARGIN = 16;

const server = await serve();
const browser = await launch({
  reducedMotion: "reduce",
  colorScheme: "light",
  viewport: { width: 1000, height: 1000 },
  deviceScaleFactor: 1.5,
});
try {
  const page = await open(browser.context, server.url + MOMENT);
  // From the top of the page to the end of the sentence below the picture.
  await page.addStyleTag({ content: ".hint { visibility: hidden } #say { max-width: none; min-height: 0 }" });
  const said = await page.locator("#say").boundingBox();
  const height = Math.ceil(said.y + said.height + MARGIN);
  const shot = await page.screenshot({ clip: { x: 0, y: 0, width: 1000, height } });
  const image = await page.evaluate(async (base64) => {
    const bitmap = await createImageBitmap(await (await fetch(`data:image/png;base64,${base64}`)).blob());
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext("2d");
    context.drawImage(bitmap, 0, 0);
    const { width, height, data } = context.getImageData(0, 0, bitmap.width, bitmap.height);
    let bytes = "";
    for (let i = 0; i < data.length; i += 4096) bytes += String.fromCharCode(...data.subarray(i, i + 4096));
    return { width, height, pixels: btoa(bytes) };
  }, shot.toString("base64"));
  await writeFile(FILE, palettePng(image.width, image.height, Buffer.from(image.pixels, "base64")));
  console.log(FILE);
} finally {
  await browser.close();
  await server.close();
}
