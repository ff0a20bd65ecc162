"""Command sets, against pynetdicom's own encoder and decoder."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import UID
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import decode as pynetdicom_decode

from msnode.receive.dicom import dimse

MR = "1.2.840.10008.5.1.4.1.1.4"


def encoded_by_pynetdicom(message: DIMSEMessage) -> bytes:
    return b"".join(
        data[1:]
        for pdata in message.encode_msg(1, 0)
        for _, data in pdata.presentation_data_value_list
        if data[0] & 1
    )


@given(
    st.integers(0, 0xFFFF),
    st.from_regex(r"[1-2]\.[1-9][0-9]{0,60}", fullmatch=True),
    st.integers(0, 2),
)
def test_reads_a_store_request(message_id: int, uid: str, priority: int) -> None:
    request = C_STORE()
    request.MessageID, request.Priority = message_id, priority
    request.AffectedSOPClassUID, request.AffectedSOPInstanceUID = UID(MR), UID(uid)
    request.DataSet = BytesIO(b"\x08\x00\x16\x00")
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    expected = dimse.Command(dimse.C_STORE_RQ, message_id, MR, uid, True, priority)
    assert dimse.decode(encoded_by_pynetdicom(message)) == expected


def test_reads_an_echo_request() -> None:
    request = C_ECHO()
    request.MessageID, request.AffectedSOPClassUID = 7, UID("1.2.840.10008.1.1")
    message = C_ECHO_RQ()
    message.primitive_to_message(request)
    command = dimse.decode(encoded_by_pynetdicom(message))
    assert command == dimse.Command(dimse.C_ECHO_RQ, 7, "1.2.840.10008.1.1", "", has_dataset=False)


@given(
    st.integers(0, 0xFFFF),
    st.sampled_from([0, 0x0122, 0xA700, 0xA900, 0xC000]),
    st.text(
        st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"), max_size=64
    ),
)
def test_responses_are_understood(message_id: int, status: int, comment: str) -> None:
    command = dimse.Command(dimse.C_STORE_RQ, message_id, MR, "1.2.3", has_dataset=True)
    encoded = dimse.encode_response(command, status, comment)
    response = pynetdicom_decode(BytesIO(encoded), True, True)
    assert response.CommandField == 0x8001
    assert response.CommandGroupLength == len(encoded) - 12
    assert response.MessageIDBeingRespondedTo == message_id
    assert response.Status == status
    assert response.AffectedSOPInstanceUID == "1.2.3"
    assert str(response.get("ErrorComment", "")).strip() == comment.strip()


@given(st.binary(max_size=200))
def test_other_bytes_are_a_value_error(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"command set|US"):
        dimse.decode(data)
