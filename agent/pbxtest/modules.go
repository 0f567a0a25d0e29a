package pbxtest

import (
	"os"
	"path/filepath"
	"strings"
)

// modules names what is loaded; nothing else is, which makes a start take a second and leaves no
// module that looks for hardware, a database or the network.
func (p *Plan) modules() string {
	var b strings.Builder
	b.WriteString("[modules]\nautoload=no\n")
	for _, m := range append(strings.Fields(moduleList), p.Modules...) {
		b.WriteString("load=" + m + "\n")
	}
	return b.String()
}

// newer are modules that not every Asterisk that is accepted has; those that have them need them.
var newer = []string{"res_websocket_client.so", "func_export.so", "app_broadcast.so"}

// onlyPresent leaves out of modules.conf those of the newer modules that this installation does not have.
func onlyPresent(conf, dir string) string {
	for _, m := range newer {
		if _, err := os.Stat(filepath.Join(dir, m)); err != nil {
			conf = strings.ReplaceAll(conf, "\nload="+m+"\n", "\n") // not the end of a noload
		}
	}
	return conf
}

const moduleList = `
res_timing_timerfd.so res_crypto.so res_http_websocket.so res_websocket_client.so res_speech.so res_musiconhold.so
res_sorcery_config.so res_sorcery_memory.so res_sorcery_astdb.so res_security_log.so
res_pjproject.so res_rtp_asterisk.so res_pjsip.so res_pjsip_session.so res_pjsip_sdp_rtp.so
res_pjsip_acl.so res_pjsip_authenticator_digest.so res_pjsip_outbound_authenticator_digest.so
res_pjsip_caller_id.so res_pjsip_dtmf_info.so res_pjsip_diversion.so res_pjsip_empty_info.so
res_pjsip_endpoint_identifier_ip.so res_pjsip_endpoint_identifier_user.so
res_pjsip_header_funcs.so res_pjsip_logger.so res_pjsip_messaging.so res_pjsip_nat.so res_pjsip_notify.so
res_pjsip_pubsub.so res_pjsip_exten_state.so res_pjsip_dialog_info_body_generator.so
res_pjsip_outbound_publish.so res_pjsip_refer.so res_pjsip_registrar.so res_pjsip_rfc3326.so
chan_pjsip.so
codec_ulaw.so codec_alaw.so codec_gsm.so codec_resample.so
format_gsm.so format_pcm.so format_sln.so format_wav.so format_wav_gsm.so
bridge_builtin_features.so bridge_builtin_interval_features.so bridge_holding.so bridge_native_rtp.so
bridge_simple.so bridge_softmix.so chan_bridge_media.so
pbx_config.so
app_dial.so app_queue.so app_echo.so app_playback.so app_confbridge.so app_chanspy.so app_directed_pickup.so
app_stack.so app_transfer.so app_blind_transfer.so app_attended_transfer.so app_mixmonitor.so app_record.so app_read.so app_senddtmf.so
app_softhangup.so app_userevent.so app_verbose.so app_while.so app_exec.so app_originate.so app_channelredirect.so app_bridgeaddchan.so
app_bridgewait.so app_cdr.so app_page.so app_playtones.so app_milliwatt.so app_controlplayback.so app_db.so app_disa.so
func_callerid.so func_cdr.so func_channel.so func_config.so func_cut.so func_db.so func_devstate.so func_dialplan.so func_extstate.so
func_global.so func_groupcount.so func_hangupcause.so func_holdintercept.so func_logic.so func_math.so func_module.so
func_periodic_hook.so func_pjsip_aor.so func_pjsip_contact.so func_pjsip_endpoint.so func_rand.so func_sprintf.so func_strings.so func_timeout.so
func_uri.so func_volume.so func_sorcery.so func_env.so
res_clioriginate.so res_convert.so res_parking.so res_mutestream.so res_manager_devicestate.so
res_stasis.so res_stasis_answer.so res_stasis_device_state.so res_stasis_playback.so res_stasis_recording.so res_stasis_snoop.so
res_ari_model.so res_ari.so res_ari_applications.so res_ari_asterisk.so res_ari_bridges.so res_ari_channels.so
res_ari_device_states.so res_ari_endpoints.so res_ari_events.so res_ari_playbacks.so res_ari_recordings.so res_ari_sounds.so
app_stasis.so
`
