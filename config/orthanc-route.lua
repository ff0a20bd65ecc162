-- Sends each new MR series to the node. Orthanc does not try again a forward that failed
-- because the node was down: send such a study again from Orthanc's own page.

function OnStableSeries(seriesId, tags, metadata)
  -- what the node sent must not go back to it
  if tags["Modality"] == "MR" and metadata["RemoteAET"] ~= "MSNODE" then
    local job = { Resources = { seriesId }, Asynchronous = true }
    RestApiPost("/modalities/msnode/store", DumpJson(job, true))
  end
end
