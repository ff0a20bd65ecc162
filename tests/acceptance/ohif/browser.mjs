// Chromium for the viewer tests: one browser, one page, one job from the command line.
import { createRequire } from 'node:module';
import path from 'node:path';

export const job = JSON.parse(process.argv[2]);
const { chromium } = createRequire(job.module + '/')('playwright-core');
const browser = await chromium.launch({
  executablePath: job.chromium,
  headless: true,
  args: [
    '--no-sandbox', '--use-gl=angle', '--use-angle=swiftshader', '--enable-unsafe-swiftshader',
    '--ignore-gpu-blocklist', '--disable-background-networking', '--disable-component-update',
    '--disable-sync', '--no-first-run', '--disable-dev-shm-usage',
  ],
});
export const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });

let errors = [];
page.on('console', line => line.type() === 'error' && errors.push(line.text()));
page.on('pageerror', error => errors.push(String(error)));

// Wait for the words of a series on the page, let the picture settle, scroll, then keep and tell
// what stood there before and after scrolling:
// {"text": …, "errors": […]} as one JSON line.
export async function tell(series, settle) {
  const body = page.locator('body');
  for (const end = Date.now() + 40000; Date.now() < end; await page.waitForTimeout(300)) {
    const text = await body.innerText();
    if (series.expect.every(words => text.includes(words))) break;
  }
  await page.waitForTimeout(settle);
  const before = await body.innerText();
  const turns = series.up ?? series.down ?? 0;
  for (let i = 0; i < turns; i++) {
    await page.keyboard.press(series.up ? 'ArrowUp' : 'ArrowDown');
    await page.waitForTimeout(200);
  }
  if (turns) await page.waitForTimeout(settle);
  const text = `${before}\n${await body.innerText()}`;
  await page.screenshot({ path: path.join(job.pictures, `${series.file}.png`) });
  console.log(JSON.stringify({ text, errors }));
  errors = [];
}

export const close = () => browser.close();
