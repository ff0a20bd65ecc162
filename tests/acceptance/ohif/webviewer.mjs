// Open series in Orthanc's own web viewer, one after the other, and say what the page shows.
//
// node webviewer.mjs '{"module": …, "chromium": …, "url": …, "pictures": …,
//                      "series": [{"id", "file", "expect"}, …]}'
import { close, job, page, tell } from './browser.mjs';

for (const series of job.series) {
  const image = page.waitForResponse(answer => answer.url().includes('/web-viewer/instances/'));
  await page.goto(`${job.url}/web-viewer/app/viewer.html?series=${series.id}`);
  await (await image).finished();
  await tell(series, 1000);
}
await close();
