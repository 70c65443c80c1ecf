//! The documents of the reference (mnt-api sections 2 and 3), each a synthetic one in a shape that
//! was observed. Test data only.

pub(super) const COUNT: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<sessionCount><count>1284</count></sessionCount>"#;

pub(super) const ACTIVE_LIST: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<activeList noOfActiveSession="5">
  <activeSession>
    <user_name>LAB\pat.kim</user_name>
    <calling_station_id>00:00:5E:00:53:01</calling_station_id>
    <nas_ip_address>192.0.2.11</nas_ip_address>
    <acct_session_id>0000A2F1</acct_session_id>
    <audit_session_id>C0000201000000A15D2E7781</audit_session_id>
    <server>psn-a</server>
    <framed_ip_address>198.51.100.21</framed_ip_address>
    <framed_ipv6_address>
      <ipv6_address>2001:db8:7::21</ipv6_address>
      <ipv6_address> fe80::200:5eff:fe00:5301</ipv6_address>
    </framed_ipv6_address>
  </activeSession>
  <activeSession>
    <user_name>00-00-5E-00-53-02</user_name>
    <calling_station_id>00:00:5E:00:53:02</calling_station_id>
    <nas_ip_address>192.0.2.11</nas_ip_address>
    <acct_session_id>0000A2F2</acct_session_id>
    <audit_session_id>c0000201000000a25d2e9013</audit_session_id>
    <server>psn-b</server>
    <framed_ip_address/>
    <framed_ipv6_address/>
  </activeSession>
  <activeSession>
    <user_name>host/WS-0417.lab.example</user_name>
    <calling_station_id>00:00:5E:00:53:03</calling_station_id>
    <nas_ip_address>192.0.2.12</nas_ip_address>
    <server>psn-a</server>
    <framed_ip_address>198.51.100.23</framed_ip_address>
    <framed_ipv6_address></framed_ipv6_address>
  </activeSession>
  <activeSession>
    <user_name>vpn.user@lab.example</user_name>
    <calling_station_id>203.0.113.90</calling_station_id>
    <nas_ip_address>192.0.2.40</nas_ip_address>
    <acct_session_id>A2000070</acct_session_id>
    <server>psn-b</server>
    <framed_ip_address>198.51.100.24</framed_ip_address>
    <framed_ipv6_address/>
  </activeSession>
  <activeSession>
    <calling_station_id>00:00:5E:00:53:05</calling_station_id>
    <server>psn-a</server>
  </activeSession>
</activeList>"#;

pub(super) const SESSION: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<sessionParameters>
  <passed xsi:type="xs:boolean" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">true</passed>
  <failed xsi:type="xs:boolean" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">false</failed>
  <user_name>LAB\pat.kim</user_name>
  <nas_ip_address>192.0.2.11</nas_ip_address>
  <calling_station_id>00:00:5E:00:53:01</calling_station_id>
  <orig_calling_station_id>00-00-5e-00-53-01</orig_calling_station_id>
  <cpmsession_id>C0000201000000A15D2E7781</cpmsession_id>
  <destination_ip_address>192.0.2.201</destination_ip_address>
  <device_ip_address>192.0.2.11</device_ip_address>
  <identity_group>Workstation</identity_group>
  <network_device_name>sw-lab-07</network_device_name>
  <acs_server>psn-a</acs_server>
  <authentication_method>dot1x</authentication_method>
  <authentication_protocol>PEAP (EAP-MSCHAPv2)</authentication_protocol>
  <framed_ip_address>198.51.100.21</framed_ip_address>
  <auth_acs_timestamp>2026-03-09T08:14:55.207+01:00</auth_acs_timestamp>
  <execution_steps>11001,11017,15049,15008,11507,12500,12301,24430,22037,15036,11002</execution_steps>
  <response>{Class=CACS:C0000201000000A15D2E7781:psn-a/5501/92; Tunnel-Type=(tag=1) VLAN; Tunnel-Private-Group-ID=(tag=1) 20; cisco-av-pair=cts:security-group-tag=0004-00; cisco-av-pair=url-redirect=https://psn-a.lab.example:8443/portal/gateway?sessionId=C0000201000000A15D2E7781&amp;action=cwa; }</response>
  <audit_session_id>C0000201000000A15D2E7781</audit_session_id>
  <nas_port_id>GigabitEthernet1/0/7</nas_port_id>
  <posture_status></posture_status>
  <selected_azn_profiles>Wired_Staff,PermitAccess</selected_azn_profiles>
  <service_type>Framed</service_type>
  <message_code>5200</message_code>
  <auth_acsview_timestamp>2026-03-09T08:14:55.209+01:00</auth_acsview_timestamp>
  <auth_id>1771000000000417</auth_id>
  <identity_store>lab.example</identity_store>
  <cts_security_group>Employees</cts_security_group>
  <location>All Locations#Lab#Floor-2</location>
  <device_type>All Device Types#Switch</device_type>
  <response_time>31</response_time>
  <framed_ipv6_address>
    <ipv6_address></ipv6_address>
    <ipv6_address>fe80::200:5eff:fe00:5301</ipv6_address>
  </framed_ipv6_address>
  <other_attr_string>:!:ConfigVersionId=118:!:Protocol=Radius:!:NAS-Port-Type=Ethernet:!:EAP-Key-Name=:!:ISEPolicySetName=Wired dot1x:!:IdentityPolicyMatchedRule=Dot1X:!:AuthorizationPolicyMatchedRule=Staff = compliant:!:AuthenticationStatus=AuthenticationPassed:!:StepLatency=1=0;2=1;3=0;4=2;5=5;6=1;7=3;8=14;9=2;10=3:!:TotalAuthenLatency=31:!:ClientLatency=0:!:Device Type=Device Type#All Device Types#Switch:!:Location=Location#All Locations#Lab#Floor-2:!:StepData="4= Normalised Radius.RadiusFlowType","9=lab.example"=StepData:!:CPMSessionID=C0000201000000A15D2E7781:!:CPMSessionID=C0000201000000A15D2E7781:!:TLSVersion=TLSv1.2:!:CiscoAVPair=service-type=Framed,audit-session-id=C0000201000000A15D2E7781,cts-pac-opaque=****</other_attr_string>
  <acct_id>1771000000000421</acct_id>
  <acct_acs_timestamp>2026-03-09T09:02:10.118+01:00</acct_acs_timestamp>
  <acct_acsview_timestamp>2026-03-09T09:02:10.120+01:00</acct_acsview_timestamp>
  <acct_session_id>0000A2F1</acct_session_id>
  <acct_status_type>Interim-Update</acct_status_type>
  <acct_session_time>2835</acct_session_time>
  <acct_input_octets>5300123456</acct_input_octets>
  <acct_output_octets>771230</acct_output_octets>
  <acct_input_packets>4012345</acct_input_packets>
  <acct_output_packets>9811</acct_output_packets>
  <acct_authentic>RADIUS</acct_authentic>
  <acct_delay_time>0</acct_delay_time>
  <event_timestamp>1773043330</event_timestamp>
  <security_group>Employees</security_group>
  <started xsi:type="xs:boolean" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">true</started>
  <stopped xsi:type="xs:boolean" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">false</stopped>
  <endpoint_policy>Windows11-Workstation</endpoint_policy>
</sessionParameters>"#;

pub(super) const SESSION_FAILED: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<sessionParameters>
  <passed xsi:type="xs:string" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">0</passed>
  <failed xsi:type="xs:string" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">1</failed>
  <user_name>robin</user_name>
  <nas_ip_address>192.0.2.12</nas_ip_address>
  <failure_reason>22040 Wrong password or invalid shared secret</failure_reason>
  <calling_station_id>00:00:5E:00:53:06</calling_station_id>
  <network_device_name>DefaultNetworkDevice</network_device_name>
  <acs_server>psn-b</acs_server>
  <auth_acs_timestamp>2026-03-09T07:40:01.554+01:00</auth_acs_timestamp>
  <execution_steps>11001,11017,22040,11003</execution_steps>
  <response>{RadiusPacketType=AccessReject; AuthenticationResult=Failed; }</response>
  <response_time>25</response_time>
</sessionParameters>"#;

pub(super) const SESSION_BY_ID: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<activeSessionList noOfActiveSession="1">
  <activeSession>
    <calling_station_id>00:00:5E:00:53:01</calling_station_id>
    <session_state_bit>5</session_state_bit>
    <session_state>STARTED</session_state>
    <session_source>0</session_source>
    <authentication_rule>Dot1X</authentication_rule>
    <authorization_rule>Staff = compliant</authorization_rule>
    <selected_authz_profiles>Wired_Staff,PermitAccess</selected_authz_profiles>
    <auth_timestamp>2026-03-09T08:14:55.207+01:00</auth_timestamp>
    <acct_timestamp>2026-03-09T09:02:10.118+01:00</acct_timestamp>
    <dead_timestamp/>
    <acct_session_time>2835</acct_session_time>
    <audit_session_id>C0000201000000A15D2E7781</audit_session_id>
    <acct_session_id>0000A2F1</acct_session_id>
    <username>pat.kim</username>
    <radius_username>LAB\pat.kim</radius_username>
    <nas_ip_address>192.0.2.11</nas_ip_address>
    <framed_ip_address>198.51.100.21</framed_ip_address>
    <framed_ipv6_address/>
    <nas_port_id>GigabitEthernet1/0/7</nas_port_id>
    <auth_method>dot1x</auth_method>
    <auth_protocol>PEAP (EAP-MSCHAPv2)</auth_protocol>
    <posture_status/>
    <endpoint_policy>Windows11-Workstation</endpoint_policy>
    <server>psn-a</server>
    <cts_security_group>Employees</cts_security_group>
    <paks_in>4012345</paks_in>
    <paks_out>9811</paks_out>
    <bytes_in>5300123456</bytes_in>
    <bytes_out>771230</bytes_out>
    <network_device_name>sw-lab-07</network_device_name>
  </activeSession>
</activeSessionList>"#;

pub(super) const AUTH_STATUS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<authStatusOutputList>
  <authStatusList key="00:00:5E:00:53:06">
    <authStatusElements>
      <passed xsi:type="xs:boolean" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">false</passed>
      <failed xsi:type="xs:boolean" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">true</failed>
      <user_name>robin</user_name>
      <nas_ip_address>192.0.2.12</nas_ip_address>
      <nas_port_type>Ethernet</nas_port_type>
      <failure_reason>22040 Wrong password or invalid shared secret</failure_reason>
      <calling_station_id>00:00:5E:00:53:06</calling_station_id>
      <identity_group></identity_group>
      <network_device_name>DefaultNetworkDevice</network_device_name>
      <acs_server>psn-b</acs_server>
      <authentication_method>PAP_ASCII</authentication_method>
      <authentication_protocol>PAP_ASCII</authentication_protocol>
      <acs_timestamp>2026-03-09T07:40:01.554+01:00</acs_timestamp>
      <execution_steps>11001,11017,11117,15049,22040,22057,11003</execution_steps>
      <response>{RadiusPacketType=AccessReject; AuthenticationResult=Failed; }</response>
      <audit_session_id></audit_session_id>
      <nas_port_id>GigabitEthernet1/0/9</nas_port_id>
      <posture_status></posture_status>
      <selected_azn_profiles></selected_azn_profiles>
      <message_code>5400</message_code>
      <framed_ipv6_address><ipv6_address></ipv6_address></framed_ipv6_address>
      <id>1771000000000398</id>
      <acsview_timestamp>2026-03-09T07:40:01.555+01:00</acsview_timestamp>
      <identity_store>Internal Users</identity_store>
      <response_time>25</response_time>
      <location>All Locations</location>
      <device_type>All Device Types</device_type>
      <cts_security_group></cts_security_group>
      <user_type>User</user_type>
      <other_attr_string>:!:ISEPolicySetName=Default:!:IdentityPolicyMatchedRule=Default:!:AuthenticationStatus=AuthenticationFailed</other_attr_string>
    </authStatusElements>
    <authStatusElements>
      <passed xsi:type="xs:boolean" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">true</passed>
      <failed xsi:type="xs:boolean" xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">false</failed>
      <user_name>robin</user_name>
      <calling_station_id>00:00:5E:00:53:06</calling_station_id>
      <acs_server>psn-b</acs_server>
      <acs_timestamp>2026-03-09T07:31:12.001+01:00</acs_timestamp>
      <execution_steps>11001,11002</execution_steps>
      <other_attributes>ConfigVersionId=118,EndPointMACAddress=00-00-5E-00-53-06,CiscoAVPair=</other_attributes>
    </authStatusElements>
  </authStatusList>
</authStatusOutputList>"#;

pub(super) const ACCT_STATUS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<acctStatusOutputList>
  <acctStatusList macAddress="00:00:5E:00:53:01">
    <acctStatusElements>
      <calling_station_id>00:00:5E:00:53:01</calling_station_id>
      <audit_session_id>C0000201000000A15D2E7781</audit_session_id>
      <paks_in>4012345</paks_in>
      <paks_out>9811</paks_out>
      <bytes_in>5300123456</bytes_in>
      <bytes_out>771230</bytes_out>
      <session_time>2835</session_time>
      <username>pat.kim</username>
      <server>psn-a</server>
    </acctStatusElements>
  </acctStatusList>
</acctStatusOutputList>"#;

pub(super) const FAILURE_REASONS: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<failureReasonList>
  <failureReason id="100901">
    <code>100901 SAMPLE-5-FAIL Invented entry one</code>
    <cause>Invented cause with an ampersand &amp; an arrow &gt;</cause>
    <resolution>Invented remedy</resolution>
  </failureReason>
  <failureReason id="22040">
    <code>22040 Wrong password or invalid shared secret</code>
    <cause>Invented cause</cause>
    <resolution></resolution>
  </failureReason>
</failureReasonList>"#;

pub(super) const PRODUCT: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<product name="Cisco Identity Services Engine"><version>3.4.0.608</version><type_of_node>1</type_of_node></product>"#;

pub(super) const COA_FALSE: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<remoteCoA requestType="reauth"><results>false</results></remoteCoA>"#;

pub(super) const DELETED: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<mnt-rest-result>
  <http-code>200</http-code>
  <cpm-code>0</cpm-code>
  <description>Synthetic delete answer</description>
  <module-name>MnT</module-name>
  <internal-error-info/>
  <requested-operation>DELETE</requested-operation>
  <resource-id>N/A</resource-id>
  <resource-name>N/A</resource-name>
  <resource-type>RESTSDStatus</resource-type>
  <status>SUCCESSFUL</status>
  <link/>
</mnt-rest-result>"#;

pub(super) const DASHBOARD: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<dashboardResult>
  <lstProcessStatuses><applicationServer>1</applicationServer><database>1</database><sxpEngine>2</sxpEngine><alertManager>-1</alertManager><server>psn-a</server><status>Failed</status></lstProcessStatuses>
  <lstSystemStatus60Min><server>psn-a</server><timestamp>2026-03-09T09:00:00.000+01:00</timestamp><cpuUtilization>4</cpuUtilization><memoryUtilization>57</memoryUtilization><latency>0</latency></lstSystemStatus60Min>
</dashboardResult>"#;

pub(super) const NOT_FOUND: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<mnt-rest-result>
  <http-code>500</http-code>
  <cpm-code>34110</cpm-code>
  <description>Server has encountered error while processing the REST request</description>
  <module-name>MnT</module-name>
  <internal-error-info>Error in generating XML output. Error message = Session data is not available for 00:00:5E:00:53:99.</internal-error-info>
  <requested-operation>Get By Type</requested-operation>
  <resource-id>N/A</resource-id>
  <resource-name>N/A</resource-name>
  <resource-type>RESTSDStatus</resource-type>
  <status>SERVER_ERROR</status>
</mnt-rest-result>"#;

pub(super) const WRONG_NODE: &str = r#"<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<mnt-rest-result><http-code>500</http-code><cpm-code>34110</cpm-code><description>Server has encountered error while processing the REST request</description><module-name>MnT</module-name><internal-error-info>This host is not a MnT node. MnT REST APIs can not be executed on this node.</internal-error-info><requested-operation>Get By Type</requested-operation><resource-id>N/A</resource-id><resource-name>N/A</resource-name><resource-type>ActiveCount</resource-type><status>SERVER_ERROR</status></mnt-rest-result>"#;
